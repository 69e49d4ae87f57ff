r"""What the schemes of :class:`physnn.Langevin` sample where nothing is a parabola, without sampling: a pendulum.

Its loss :math:`U = -\cos\theta` has a bounded slope, so that every scheme has a stationary law at every step size, and
Boltzmann's law is known: :math:`\langle\cos\theta\rangle = I_1(1/T)/I_0(1/T)`.
"""

import math

import numpy as np
from scipy import special
from scipy.sparse.linalg import LinearOperator, gmres

from physnn.scheme import SCHEMES


def boltzmann_cosine(temperature: float) -> float:
    r"""Return :math:`\langle\cos\theta\rangle` in Boltzmann's law."""
    return float(special.ive(1, 1 / temperature) / special.ive(0, 1 / temperature))


def mean_cosine(
    scheme: str, lr: float, damping: float, temperature: float, angles: int = 32, velocities: int = 48
) -> float:
    r"""Return :math:`\langle\cos\theta\rangle` of the law at which ``scheme`` comes to rest.

    A step of the optimizer is a kick, which shifts the density of :math:`(\theta, v)` along v, a drift, which shifts it
    along :math:`\theta`, and friction with noise. On a grid all three are exact but for what the grid cannot resolve:
    shifts by Fourier's theorem, and :math:`\hat f(q) \to \hat f((1-\gamma)q)\,e^{-s^2q^2/2}` for the third. Where the
    density comes to rest is a linear equation.

    The default grid has errors below :math:`10^{-7}` for T from 0.5, lr from 0.001 to 0.6 and damping from 0.03 to 1.

    Raises:
        ValueError: there is no such scheme.
        RuntimeError: the equation is not solved, as at very small damping.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme!r}")
    if scheme == "gjf":  # the positions of baoa at this learning rate
        scheme, lr = "baoa", lr / (1 - damping / 2)
    split, keep = scheme == "baoa", 1 - damping
    noise = math.sqrt(lr * temperature * ((1 - keep**2) if split else 2 * damping))
    spread = math.sqrt(lr * temperature / (1 if split else 1 - damping / 2))  # of v, for small steps
    theta = np.arange(angles) * (2 * np.pi / angles)
    v = (np.arange(velocities) - velocities // 2) * (14 * spread / velocities)
    k = np.fft.fftfreq(angles, 1 / angles)
    q = 2 * np.pi * np.fft.fftfreq(velocities, v[1] - v[0])

    kick = np.exp(1j * lr * np.outer(np.sin(theta), q))
    drift = np.exp(-1j * (0.5 if split else 1.0) * np.outer(k, v))
    damp = np.exp(1j * np.outer(v, q)) @ (
        np.exp(-((noise * q) ** 2) / 2)[:, None] * np.exp(-1j * keep * np.outer(q, v))
    )
    damp = damp.real.T / velocities

    def kicked(f):
        return np.fft.ifft(np.fft.fft(f, axis=1) * kick, axis=1).real

    def drifted(f):
        return np.fft.ifft(np.fft.fft(f, axis=0) * drift, axis=0).real

    def step(f):
        return drifted(drifted(kicked(f)) @ damp) if split else drifted(kicked(f @ damp))

    start = np.exp(np.cos(theta) / temperature)[:, None] * np.exp(-((v / spread) ** 2) / 2)
    start /= start.sum()

    def equation(x):  # of what is to be added to Boltzmann's law; the last term fixes its sum, 0
        f = x.reshape(start.shape)
        return (f - step(f) + start * f.sum()).ravel()

    shape = (start.size, start.size)
    added, failed = gmres(
        LinearOperator(shape, equation), (step(start) - start).ravel(), rtol=1e-8, restart=200, maxiter=20
    )
    if failed:
        raise RuntimeError(f"no stationary law was found at lr {lr:g} and damping {damping:g}; take a larger damping")
    law = start + added.reshape(start.shape)
    return float((law.sum(1) * np.cos(theta)).sum() / law.sum())
