r"""Thermometers of the weights' direction: how fast it moves, and how steep and curved the loss is that it feels.

For any field of vectors B that are tangent to the sphere, the Gibbs law of U at temperature T has
:math:`T\,\langle\operatorname{div} B\rangle = \langle B\cdot\nabla U\rangle`. With B the tangent part of the gradient
itself this is a configurational temperature (Rugh 1997) that no force along the radius enters,

.. math::
    T_\mathrm{dir} = \frac{\langle|\nabla_\perp L|^2\rangle}{\langle\Delta_\perp L\rangle}, \qquad
    \Delta_\perp L = \Delta L - \hat\theta\cdot\nabla\nabla L\,\hat\theta
    - \frac{P-1}{|\theta|}\,\hat\theta\cdot\nabla L,

neither weight decay, nor the norm that grows under a loss without a scale. The kinetic temperature of the direction is
:math:`|w_\perp|^2/\alpha(P-1)`, w the mean velocity. Where L has kinks, the curvature there is not in
:math:`\Delta L`, and :math:`T_\mathrm{dir}` reads too high.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from physnn.lab.training.watching import dot

Losses = Callable[[Sequence[Tensor]], Tensor]


def across(vectors: Sequence[Tensor], params: Sequence[Tensor]) -> Tensor:
    """Return the squared length of each replica's vectors (R, ...) across its parameters, (R,), in double precision."""
    along = dot(vectors, params)
    return (dot(vectors, vectors) - along.square() / dot(params, params)).clamp(min=0)


def felt(losses: Losses, params: Sequence[Tensor], probes: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    r"""Return :math:`|\nabla_\perp L|^2` and an estimate of :math:`\Delta_\perp L`, (R,) each.

    The trace of the Hessian is Hutchinson's (1990), of probes of signs.

    Args:
        losses: maps parameters (R, ...) to each replica's own loss, (R,).
        params: parameters of R replicas.
        probes: ±1 at random, of the shapes of the parameters.
    """
    here = [p.detach().requires_grad_() for p in params]
    grads = torch.autograd.grad(losses(here).sum(), here, create_graph=True, materialize_grads=True)
    curved = [
        torch.autograd.grad(grads, here, list(vector), retain_graph=True, materialize_grads=True)
        for vector in (probes, [p.detach() for p in here])
    ]
    size = sum(p[0].numel() for p in params)
    slopes, here = [g.detach() for g in grads], [p.detach() for p in here]
    square = dot(here, here)
    radial = (dot(curved[1], here) + (size - 1) * dot(slopes, here)) / square
    return across(slopes, here), dot(curved[0], probes) - radial


def signs(params: Sequence[Tensor], generators: Sequence[torch.Generator]) -> list[Tensor]:
    """Draw ±1 of the shapes of parameters (R, ...), each replica's from its own generator."""
    rows = [
        torch.cat([torch.randint(2, (p[0].numel(),), generator=one) for p in params]) * 2.0 - 1 for one in generators
    ]
    parts = torch.stack(rows).to(params[0].device, params[0].dtype).split([p[0].numel() for p in params], 1)
    return [part.reshape(p.shape) for part, p in zip(parts, params, strict=True)]
