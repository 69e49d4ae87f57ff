r"""A machine of units in a heat bath: each in a well of its own, all tied in pairs, moved by a force and by heat.

.. math::
    V(x) = \sum_i \bigl(J_{2,i}\,x_i^2 + J_4\,x_i^4 + b_i x_i\bigr) + \sum_{i<j} J_{ij}\,x_i x_j, \qquad
    dx = -\nabla V(x)\,dt + \sqrt{2\,dt}\;\eta

in the units of the bath: energies in kT, and times in those that make the mobility 1. With :math:`J_4 = 0` the force
is linear, and whatever begins with a normal law keeps one. With :math:`J_4 > 0` a unit has two states where
:math:`J_{2,i} < 0`, and many units can have many states together, by their ties, where none has two by itself.
Source: Whitelam, Generative thermodynamic computing (2025).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Machine:
    r"""The numbers of a machine of N units.

    Attributes:
        quadratic: :math:`J_2` of each unit, of shape (N,), of either sign.
        quartic: :math:`J_4`, the same of all, at least 0.
        bias: b, of shape (N,).
        couplings: J, of shape (N, N), symmetric, without a diagonal.

    Raises:
        ValueError: shapes do not fit, the quartic is below 0, or the couplings are not symmetric or have a diagonal.
    """

    quadratic: Tensor
    quartic: float
    bias: Tensor
    couplings: Tensor

    def __post_init__(self) -> None:
        n = len(self.bias)
        shapes = tuple(self.quadratic.shape), tuple(self.bias.shape), tuple(self.couplings.shape)
        if shapes != ((n,), (n,), (n, n)):
            raise ValueError(f"quadratic, bias and couplings must have shapes (N,), (N,) and (N, N), got {shapes}")
        if not self.quartic >= 0:
            raise ValueError(f"quartic must be at least 0, or units leave to infinity, got {self.quartic}")
        uneven = (self.couplings - self.couplings.T).abs().max() > 1e-5 * (1 + self.couplings.abs().max())
        if uneven or self.couplings.diagonal().any():
            raise ValueError("couplings must be symmetric, without a diagonal: that of a unit with itself is quadratic")

    def energy(self, x: Tensor) -> Tensor:
        """Return V of states (..., N), of shape (...), in kT."""
        own = self.quadratic * x.square() + self.quartic * x.pow(4) + self.bias * x
        return own.sum(-1) + ((x @ self.couplings) * x).sum(-1) / 2

    def slope(self, x: Tensor) -> Tensor:
        r"""Return the gradient of V, :math:`2 J_2 x + 4 J_4 x^3 + b + J x`, of the shape of the states."""
        return torch.addcmul(self.bias, x, 2 * self.quadratic + 4 * self.quartic * x.square()) + x @ self.couplings

    def to(self, dtype: torch.dtype) -> "Machine":
        """Return the same machine, its tensors of another type."""
        return Machine(self.quadratic.to(dtype), self.quartic, self.bias.to(dtype), self.couplings.to(dtype))


def walk(
    machines: Sequence[Machine], x: Tensor, steps: int, dt: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Let machines move from states (n, N): each of them for an equal part of the steps, one after the other.

    .. math::
        x' = x - \nabla V(x)\,dt + \sqrt{2\,dt}\;\eta

    Returns:
        The states at the end, (n, N); the heat emitted on the way (:func:`heat`), (n,); and how far the energies fell,
        (n,), each while it was that of the machine at work. The two are the same in small steps, as nobody does work
        but where the machines change: then the energy that it costs is in neither.

    Raises:
        ValueError: the steps cannot be parted among the machines.
    """
    if not machines or steps < 1 or steps % len(machines):
        raise ValueError(f"steps must be a multiple of the machines, got {steps} for {len(machines)}")
    emitted, fallen = (torch.zeros(len(x), dtype=torch.float64) for _ in range(2))
    for machine in machines:
        slope, before = machine.slope(x), machine.energy(x)
        for _ in range(steps // len(machines)):
            kick = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            moved = x - dt * slope + (2 * dt) ** 0.5 * kick
            after = machine.slope(moved)
            emitted += _heat(x, moved, slope, after, dt)
            x, slope = moved, after
        fallen += before - machine.energy(x)
    return x, emitted, fallen


def heat(machine: Machine, start: Tensor, end: Tensor, dt: float) -> Tensor:
    r"""Return the heat that steps from ``start`` to ``end``, (..., N), give to the bath, of shape (...), in kT.

    .. math::
        \begin{aligned}
        Q = \ln\frac{P(x \to x')}{P(x' \to x)} = {} & \tfrac12 (x - x') \cdot \bigl(\nabla V(x) + \nabla V(x')\bigr) \\
        & + \tfrac{dt}{4}\bigl(|\nabla V(x')|^2 - |\nabla V(x)|^2\bigr)
        \end{aligned}

    By this definition the integral fluctuation theorem holds at any step: with the density :math:`p` of the first
    states, and any density :math:`r` at all of the last ones,
    :math:`\langle e^{-Q}\,r(x_K)/p(x_0) \rangle = 1` over walks. In small steps Q is what the energy falls by.
    Source: Seifert (2012).
    """
    return _heat(start, end, machine.slope(start), machine.slope(end), dt)


def action(slope: Tensor, start: Tensor, end: Tensor, dt: float) -> Tensor:
    r"""Return how improbable steps are, :math:`-\ln P(x \to x')` less a constant that knows no machine, of shape (...).

    .. math::
        \frac{|x' - x + \nabla V(x)\,dt|^2}{4\,dt}

    Args:
        slope: the gradient of V at the start, of shape (..., N).
        start: x, likewise.
        end: x', likewise.
        dt: the step.
    """
    return (end - start + dt * slope).square().sum(-1) / (4 * dt)


def _heat(start: Tensor, end: Tensor, before: Tensor, after: Tensor, dt: float) -> Tensor:
    """Return the heat of steps, from the slopes at their two ends, in double precision."""
    along = ((start - end) * (before + after)).sum(-1, dtype=torch.float64) / 2
    return along + dt / 4 * (after.square() - before.square()).sum(-1, dtype=torch.float64)
