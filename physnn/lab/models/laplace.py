r"""The Laplace approximation of a network's last layer, in closed form.

With features h of the layer below, a last column for the bias, answers :math:`p = \operatorname{softmax} f`, and a
normal prior of width c, the negative log posterior of the last layer's :math:`C \times (F + 1)` weights has the Hessian

.. math::
    A = \sum_{i=1}^N \bigl(\operatorname{diag} p_i - p_i p_i^{\mathsf T}\bigr) \otimes h_i h_i^{\mathsf T}
    + \frac{1}{c^2} I,

exactly, for the outputs are linear in them. The posterior is taken to be normal around the optimum, with covariance
:math:`A^{-1}`. Source: MacKay (1992); Kristiadi, Hein & Hennig (2020); Daxberger et al. (2021).
"""

import torch
from torch import Tensor


def precision(features: Tensor, outputs: Tensor, width: float) -> Tensor:
    """Return A, of shape (C(F + 1), C(F + 1)), in double precision, of weights in the order of (C, F + 1).

    Args:
        features: of shape (N, F + 1), a last column for the bias in it.
        outputs: of shape (N, C).
        width: c, above 0.

    Raises:
        ValueError: the shapes do not fit, or the width is not above 0.
    """
    if features.dim() != 2 or outputs.dim() != 2 or len(features) != len(outputs):
        raise ValueError(
            "features and outputs must have shapes (N, F + 1) and (N, C), "
            f"got {tuple(features.shape)} and {tuple(outputs.shape)}"
        )
    if not width > 0:
        raise ValueError(f"the width of the prior must be above 0, got {width}")
    h, p = features.double(), outputs.double().softmax(-1)
    classes, size = p.shape[1], h.shape[1]
    found = torch.eye(classes * size, dtype=h.dtype, device=h.device) / width**2
    blocks = found.view(classes, size, classes, size)
    for a in range(classes):
        for b in range(a + 1):
            weight = p[:, a] * (float(a == b) - p[:, b])
            block = (h * weight.unsqueeze(1)).T @ h
            blocks[a, :, b] += block
            if a != b:
                blocks[b, :, a] += block
    return found


def draw(optimum: Tensor, precision: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return draws of weights, of shape (count, C, F + 1), around an optimum of shape (C, F + 1).

    Raises:
        torch.linalg.LinAlgError: the precision is not that of a minimum.
    """
    root = torch.linalg.cholesky(precision)
    normal = torch.randn(optimum.numel(), count, dtype=root.dtype, generator=generator).to(root.device)
    spread = torch.linalg.solve_triangular(root.T, normal, upper=True)  # of covariance A^-1
    return (optimum.flatten().unsqueeze(1) + spread).T.reshape(count, *optimum.shape).to(optimum.dtype)
