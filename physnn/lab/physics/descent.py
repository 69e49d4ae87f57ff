"""What the post's terms make of an image that takes the place of the outputs, and goes down their slope."""

import torch
from torch import Tensor

from physnn.field import difference, normalize
from physnn.lab.physics.pixels import central, filled

STEPS = 200


def printed_energy(
    u: Tensor, image: Tensor, mask: Tensor | None, quadratic: float, quartic: float, spatial: float
) -> Tensor:
    r"""Return the mean inside the bars of the post's loss for each image of shape (n, h, w), of shape (n,).

    .. math::
        \operatorname{mean}\bigl(q_2 d^2 + q_4 d^4 + q_s |\partial u_n|^2\bigr), \qquad d = m\,(u_n - f_n)

    Each image is normalized by its own largest magnitude. Where no pixel is missing it is
    :func:`physnn.ginzburg_landau_loss` of that image alone, with ``outer="none"``.
    """
    field = normalize(u, "sample")
    off = field - normalize(image, "sample")
    d2 = (off if mask is None else mask * off).square()
    density = d2 * (quadratic + quartic * d2)
    for axis in (1, 2):
        density = density + spatial * difference(field, axis, "periodic").square()
    return density.mean((1, 2))


def descend(
    image: Tensor, mask: Tensor | None, lr: float, quadratic: float, quartic: float, spatial: float, steps: int = STEPS
) -> Tensor:
    """Return images after gradient descent on the post's loss, in the images' own scale.

    Each starts as what is given, its missing pixels as the mean of the known ones, and goes down its own loss, the sum
    over its pixels. The loss knows no scale: the result has the largest magnitude of the image that is given.
    """
    peak = image.abs().amax((1, 2), keepdim=True)
    u = filled(image, mask) / torch.where(peak == 0, 1.0, peak)
    for _ in range(steps):
        u = u.detach().requires_grad_()
        loss = printed_energy(u, image, mask, quadratic, quartic, spatial).abs().sum() * u[0].numel()
        (slope,) = torch.autograd.grad(loss, u)
        u = u - lr * slope
    return normalize(u.detach(), "sample") * peak


def roughen(image: Tensor, mask: Tensor | None, strength: float) -> Tensor:
    r"""Return images after descent on :math:`\frac12\sum m(u - f)^2 - \frac\kappa2\sum|\partial u|^2`, in a box.

    The spatial term with its sign turned. From :math:`\kappa = \frac12` on nothing but walls holds the image: its gray
    values are kept between 0 and 1. Steps are of the inverse of the largest curvature, so that the energy falls.
    """
    known = torch.ones_like(image) if mask is None else mask
    u = filled(image, mask).clamp(0, 1)
    for _ in range(STEPS):
        u = (u - (known * (u - image) - strength * central(u)) / (1 + 2 * strength)).clamp(0, 1)
    return u
