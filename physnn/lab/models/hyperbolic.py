r"""Layers that keep a geometry: of the hyperboloid, and of the ball of Poincaré, curvature −1.

The hyperboloid is :math:`\{x \in \mathbb R^{n+1} : \langle x, x\rangle = -1,\ x_0 > 0\}` with
:math:`\langle x, y\rangle = -x_0 y_0 + \sum_i x_i y_i` and the distance
:math:`\operatorname{arcosh}(-\langle x, y\rangle)`. All parameters are points of flat spaces, tangent at the centre, so
that the ordinary optimizers apply to them (as in Ganea et al., 2018).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TINY = 1e-12  # below a squared length, whose root has no gradient at zero


class PoincareMLR(nn.Module):
    r"""Multinomial logistic regression in the ball: an input is a tangent vector u at its centre.

    .. math::
        x = \exp_0 u, \quad p_k = \exp_0 p'_k, \quad a_k = (1 - |p_k|^2)\, a'_k, \qquad
        \varphi_k = \frac{2 |a_k|}{1 - |p_k|^2}
        \operatorname{arsinh} \frac{2 \langle -p_k \oplus x, a_k\rangle}{(1 - |{-p_k} \oplus x|^2)\, |a_k|}

    Ganea et al. (2018), for c = 1: a class has a point and a normal there, and the output is
    the distance from the hyperplane, times the normal's length. It is computed on the hyperboloid, where the fraction
    is the inner product of x and of the normal, carried from the centre to p: with :math:`\rho = 2|p'|`, its direction
    e and :math:`\hat a = a'/|a'|`,

    .. math::
        N = \bigl(\sinh\rho\,(e \cdot \hat a),\ \hat a + (\cosh\rho - 1)(e \cdot \hat a)\, e\bigr), \qquad
        \varphi_k = 2 |a'_k| \operatorname{arsinh} \langle X, N_k\rangle .

    There single precision goes as far as cosh does; in the ball it ends at the rim, a few units from the centre.

    Attributes:
        weight: a', of shape (m, n), as :class:`torch.nn.Linear` starts it, and ``points``, p', likewise, at 0.

    Shape: (\*, n) to (\*, m).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(in_features, out_features, bias=False).weight.detach())
        self.points = nn.Parameter(torch.zeros(out_features, in_features))

    def forward(self, u: Tensor) -> Tensor:
        """Map tangent vectors of shape (\\*, n) to outputs of shape (\\*, m)."""
        time, space = lifted(2 * u)
        length = _length(self.weight)
        normal, twice = self.weight / length, 2 * self.points
        rho = _length(twice)
        along = (twice * normal).sum(-1, keepdim=True) / rho
        carried = normal + (rho.cosh() - 1) * along / rho * twice
        inner = F.linear(space, carried) - time * (rho.sinh() * along).squeeze(-1)
        return 2 * length.squeeze(-1) * inner.asinh()


class HyperplaneMLR(nn.Linear):
    r"""The same with one number for each class in the place of its point: how far along the normal it lies.

    .. math::
        p'_k = b_k\, a'_k / |a'_k|, \qquad
        \varphi_k = 2 |a'_k| \operatorname{arsinh} \bigl(\cosh(2 b_k)\, \hat a_k \cdot x - \sinh(2 b_k)\, x_0\bigr)

    with time :math:`x_0` and space x of the input on the hyperboloid. A hyperplane has as many numbers as a linear
    layer's, where Ganea's has twice as many. Source: Shimizu, Mukuta & Harada (2021).

    Shape: (\*, n) to (\*, m).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        nn.init.zeros_(self.bias)

    def forward(self, u: Tensor) -> Tensor:
        """Map tangent vectors of shape (\\*, n) to outputs of shape (\\*, m)."""
        time, space = lifted(2 * u)
        length, shift = _length(self.weight), 2 * self.bias
        inner = shift.cosh() * F.linear(space, self.weight / length) - shift.sinh() * time
        return 2 * length.squeeze(-1) * inner.asinh()


class LorentzLinear(nn.Linear):
    r"""A linear map of both components, time and space, whose image is put back on the hyperboloid.

    .. math::
        y = \bigl(\sqrt{1 + |\varphi|^2},\ \varphi\bigr), \qquad \varphi = h(W x + b), \quad x = (x_0, \dots, x_n)

    Chen et al. (2022), their general form, with the rectifier as h or nothing.

    Shape: (\*, n+1) to (\*, m+1).
    """

    def __init__(self, in_features: int, out_features: int, rectified: bool = False) -> None:
        super().__init__(in_features + 1, out_features)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        """Map points of the hyperboloid to points of the hyperboloid."""
        phi = super().forward(x)
        return raised(phi.relu() if self.rectified else phi)


class LorentzClassifier(nn.Module):
    r"""Outputs by the squared Lorentzian distance of the input from a point of each class, on the hyperboloid.

    .. math::
        \varphi_k = 2 + 2 \langle x, c_k\rangle + b_k = -\,\langle x - c_k, x - c_k\rangle + b_k, \qquad
        c_k = \exp_0 u_k

    Source: the output layer of Chen et al. (2022).

    Attributes:
        points: u, of shape (m, n), as :class:`torch.nn.Linear` starts its weights.
        bias: b, of shape (m,), starting at 0.

    Shape: (\*, n+1) to (\*, m).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.points = nn.Parameter(nn.Linear(in_features, out_features, bias=False).weight.detach())
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map points of the hyperboloid of shape (\\*, n+1) to outputs of shape (\\*, m)."""
        time, space = lifted(self.points)
        return 2 + 2 * F.linear(x, torch.cat([-time, space], -1)) + self.bias


class Raise(nn.Module):
    """Put inputs on the hyperboloid as its space component: shape (B, ...) to (B, n+1)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs to points of the hyperboloid."""
        return raised(x.flatten(1))


def headed_network(widths: Sequence[int], head: type[nn.Module]) -> nn.Sequential:
    """Stack linear layers with rectifiers between, and a head on the last of them, which has none.

    In the ball the last linear layer starts near the centre, at a tenth of its usual values: far out all outputs that
    have one sign are nearly alike.

    Args:
        widths: sizes from the inputs to the classes, at least two.
        head: :class:`PoincareMLR`, :class:`HyperplaneMLR`, or :class:`torch.nn.Linear` for the same in flat space.
    """
    layers = [part for n, m in pairwise(widths[:-1]) for part in (nn.Linear(n, m), nn.ReLU())][:-1]
    if layers and head is not nn.Linear:
        with torch.no_grad():
            for parameter in layers[-1].parameters():
                parameter.mul_(0.1)
    return nn.Sequential(nn.Flatten(), *layers, head(*widths[-2:]))


def lorentz_network(widths: Sequence[int]) -> nn.Sequential:
    """Stack :class:`LorentzLinear` layers, rectified but for the last, and a :class:`LorentzClassifier`.

    Args:
        widths: sizes from the inputs to the classes, of the space components, at least two.
    """
    *hidden, classes = widths
    last = len(hidden) - 2
    layers = [LorentzLinear(n, m, rectified=i < last) for i, (n, m) in enumerate(pairwise(hidden))]
    return nn.Sequential(Raise(), *layers, LorentzClassifier(hidden[-1], classes))


def raised(space: Tensor) -> Tensor:
    """Return the point of the hyperboloid with this space component: shape (\\*, n) to (\\*, n+1)."""
    return torch.cat([(1 + space.square().sum(-1, keepdim=True)).sqrt(), space], -1)


def lifted(u: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return time and space of :math:`\exp_0 u = (\cosh|u|, \sinh|u|\, u/|u|)`, of shapes (\*, 1) and (\*, n)."""
    length = _length(u)
    return length.cosh(), length.sinh() / length * u


def tangent_distance(u: Tensor, v: Tensor) -> Tensor:
    r"""Return the distance of :math:`\exp_0 u` and :math:`\exp_0 v`, for tangent vectors of shape (\*, n).

    .. math::
        \sinh^2 \frac d2 = \sinh^2 \frac{|u| - |v|}{2}
        + \frac{\sinh|u| \sinh|v|}{4} \left| \frac{u}{|u|} - \frac{v}{|v|} \right|^2

    This is the hyperbolic law of cosines, without its cancellation.
    """
    r, s = _length(u), _length(v)
    between = (u / r - v / s).square().sum(-1)
    half = ((r - s) / 2).sinh().square().squeeze(-1) + (r.sinh() * s.sinh()).squeeze(-1) * between / 4
    return 2 * (half + TINY).sqrt().asinh()


def _length(u: Tensor) -> Tensor:
    return (u.square().sum(-1, keepdim=True) + TINY).sqrt()
