"""What is measured on outputs: accuracy, calibration, and the scale that a softmax wants.

Outputs have shape (..., N, C), with labels (N,), so that many replicas are measured at once. A replica one of whose
samples has no softmax (it diverged: an output is NaN or infinite) has the value NaN, and the others keep theirs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the fraction of samples whose largest output is at the label, in [0, 1], of shape (...).

    Of equally large outputs the first counts.

    Raises:
        ValueError: the shapes do not fit, there is no sample, or a label is no class index; so do all below.
    """
    _check(outputs, labels)
    right = (outputs.argmax(-1) == labels).to(outputs.dtype).mean(-1)
    return _known(right, outputs)


def nll(outputs: Tensor, labels: Tensor) -> Tensor:
    r"""Return the mean negative log-likelihood :math:`-\log\operatorname{softmax}(f)_y`, in nats, of shape (...)."""
    _check(outputs, labels)
    return _known(-F.log_softmax(outputs, -1).gather(-1, _index(outputs, labels)).squeeze(-1).mean(-1), outputs)


def ece(outputs: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    r"""Return the expected calibration error, in [0, 1], of shape (...).

    .. math::
        \sum_b \frac{n_b}{N}\,\bigl|\operatorname{acc}_b - \operatorname{conf}_b\bigr|

    over ``bins`` of equal width in the confidence, the largest softmax probability, each closed at its right end.
    Chance alone leaves a gap of the order of :math:`1/\sqrt{n_b}` in each bin, so that small samples look worse.
    Source: Guo et al. (2017).

    Raises:
        ValueError: as :func:`accuracy`, or ``bins`` is below 1.
    """
    _check(outputs, labels)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    confidence, predicted = F.softmax(outputs, -1).max(-1)
    gap = (predicted == labels).to(confidence.dtype) - confidence
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    sums = torch.zeros(*gap.shape[:-1], bins, dtype=gap.dtype, device=gap.device).scatter_add_(-1, index, gap)
    return _known(sums.abs().sum(-1) / labels.shape[-1], outputs)


def fit_scale(outputs: Tensor, labels: Tensor) -> Tensor:
    r"""Return the s > 0, of shape (...), for which s times the outputs has the smallest :func:`nll`.

    Temperature scaling (Guo et al. 2017), s being one over their temperature. It makes outputs without a scale of
    their own comparable. With the margins :math:`z_j = f_j - f_y` and :math:`p = \operatorname{softmax}(sz)`,

    .. math::
        \frac{d}{ds}\operatorname{nll}(sf) = \operatorname{mean}\sum_j p_j z_j, \qquad
        \frac{d^2}{ds^2}\operatorname{nll}(sf) = \operatorname{mean}\operatorname{var}_p z \ge 0,

    so that there is one minimum, found by Newton's method with bisection of log s as its safeguard, to a relative
    1e-5. It is sought from 1e-4 to 1e4 over the mean of abs(z). Outputs that know less than chance have it at the
    lower end (s times them is uniform); outputs that put every sample right have none, and s stops where the
    likelihood is 1 to rounding, or at the upper end. Outputs that are the same for all classes have s = 1.
    """
    _check(outputs, labels)
    z = outputs - outputs.gather(-1, _index(outputs, labels))
    size = z.abs().mean((-2, -1))
    flat = size == 0
    size = size.masked_fill(flat, 1.0).masked_fill(size.isinf(), float("nan"))
    z /= size[..., None, None]
    scale = torch.ones_like(size)
    low, high = 1e-4 * scale, 1e4 * scale
    active = size.isfinite()
    for _ in range(100):
        p = torch.softmax(scale[..., None, None] * z, -1)
        mean = (p * z).sum(-1)
        slope, curvature = mean.mean(-1), (p.mul_(z).mul_(z).sum(-1) - mean.square()).mean(-1)
        low, high = torch.where(slope < 0, scale, low), torch.where(slope < 0, high, scale)
        newton = scale - slope / curvature
        new = torch.where((low <= newton) & (newton <= high), newton, (low * high).sqrt())
        # One that has arrived stays, so that its value does not depend on its neighbours.
        step, scale = (new - scale).abs(), torch.where(active, new, scale)
        active &= step > 1e-5 * scale
        if not active.any():
            break
    return scale.masked_fill(flat, 1.0) / size


def _known(values: Tensor, outputs: Tensor) -> Tensor:
    """Return the values of replicas, NaN for those with an output that is NaN or infinite."""
    return values.masked_fill(~outputs.isfinite().all(-1).all(-1), float("nan"))


def _check(outputs: Tensor, labels: Tensor) -> None:
    if outputs.dim() < 2 or labels.shape != outputs.shape[-2:-1] or not outputs.numel():
        raise ValueError(
            f"outputs must have shape (..., N, C) and labels (N,), got {tuple(outputs.shape)} and {tuple(labels.shape)}"
        )
    if labels.is_floating_point() or labels.min() < 0 or labels.max() >= outputs.shape[-1]:
        raise ValueError(
            f"labels must be class indices from 0 to {outputs.shape[-1] - 1}, "
            f"got {labels.dtype} from {labels.min()} to {labels.max()}"
        )


def _index(outputs: Tensor, labels: Tensor) -> Tensor:
    return labels.expand(outputs.shape[:-1]).unsqueeze(-1)
