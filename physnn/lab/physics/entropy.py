r"""The second law for the proposal's optimizer: what weights can know of their data is the heat that they gave off.

Weights z with the prior :math:`\mathcal N(0, I)` move in :math:`L + \tfrac12T|z|^2` by the optimizer as printed, whose
weight decay is T. Without L they would be distributed by the stationary law of a line with curvature T
(:func:`rest_law`), whatever happened before. With L, three following weights have

.. math::
    \ln\frac{p(z_{n+1} \,|\, z_n, z_{n-1})}{p(z_{n-1} \,|\, z_n, z_{n+1})}
    = \ln\frac{\pi(z_{n+1}, z_n)}{\pi(z_n, z_{n-1})} - \frac1T\,\nabla L(z_n)\cdot\frac{v_n + v_{n+1}}{2}

exactly, at every step size. The last term is :func:`heat`. As no relative entropy is negative, that of the last weights
from the prior is at most the mean of its sum, plus what they started with (Seifert 2012; for what a perceptron learns,
Goldt & Seifert 2017). No equilibrium is needed, and a minibatch's L may stand in every step.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class RestLaw(NamedTuple):
    """The Gaussian law of a coordinate and its velocity: variance of z, slope of v on z, variance of v at fixed z."""

    variance: float
    slope: float
    residue: float


START = RestLaw(1.0, 0.0, 1.0)  # of independent standard normal numbers


def rest_law(lr: float, damping: float, temperature: float) -> RestLaw:
    r"""Return the stationary law of the optimizer without a loss, with a weight decay as large as the temperature.

    .. math::
        \langle z^2\rangle = \frac{1}{1 - k/2(2-\gamma)}, \qquad \langle v^2\rangle = \frac{4\alpha T}{2(2-\gamma) - k},
        \qquad \langle zv\rangle = \tfrac12\langle v^2\rangle, \qquad k = \alpha T

    Raises:
        ValueError: the steps are not stable, 0 < damping < 2 and 0 < k < 2(2 - damping).
    """
    k, wide = lr * temperature, 2 * (2 - damping)
    if not (0 < damping < 2 and 0 < k < wide):
        raise ValueError(
            f"damping must be between 0 and 2 and lr × temperature above 0 and below {wide:g}, got {damping} and {k:g}"
        )
    variance, squared = 1 / (1 - k / wide), 4 * k / (wide - k)
    slope = squared / (2 * variance)
    return RestLaw(variance, slope, squared - slope * squared / 2)


def carry(last: RestLaw, law: RestLaw, z: Sequence[Tensor], v: Sequence[Tensor]) -> None:
    r"""Change weights and velocities in place so that those of one law at rest get another one.

    .. math::
        z \leftarrow z\,\sqrt{c'/c}, \qquad v \leftarrow s'z + \sqrt{r'/r}\,(v - sz_\text{before})

    with c the variance of z, s the slope and r the residue. It can be undone, so that no relative entropy changes.
    """
    for a, b in zip(z, v, strict=True):
        b.sub_(a, alpha=last.slope).mul_(math.sqrt(law.residue / last.residue))
        a.mul_(math.sqrt(law.variance / last.variance))
        b.add_(a, alpha=law.slope)


def heat(gradients: Sequence[Tensor], before: Sequence[Tensor], after: Sequence[Tensor], temperature: float) -> Tensor:
    r"""Return the entropy that a step gives to the bath, of shape (R,), for tensors of shape (R, ...).

    .. math::
        -\frac1T\,\nabla L(z_n)\cdot\frac{v_n + v_{n+1}}{2}

    ``gradients`` are of the loss alone, without the decay, at the weights between the velocities ``before`` and
    ``after``. Its sum is about the loss that has been lost, over T.
    """
    several = zip(gradients, before, after, strict=True)
    return -sum((g * (v + w)).reshape(len(g), -1).sum(1) for g, v, w in several).double() / (2 * temperature)
