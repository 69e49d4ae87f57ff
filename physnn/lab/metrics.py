"""What is measured on outputs and fields: accuracy, calibration, coherence, robustness, and speed of convergence.

Outputs have shape (..., N, C), with labels (N,), so that many replicas are measured at once. A replica one of whose
samples has no softmax (it diverged: an output is NaN or infinite) has the value NaN, and the others keep theirs.
"""

import math
from typing import NamedTuple

import pandas as pd
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
    largest, predicted = outputs.max(-1)
    right = (predicted == labels).to(outputs.dtype).mean(-1)
    return right.masked_fill(~largest.isfinite().all(-1), float("nan"))


def nll(outputs: Tensor, labels: Tensor) -> Tensor:
    r"""Return the mean negative log-likelihood :math:`-\log\operatorname{softmax}(f)_y`, in nats, of shape (...)."""
    _check(outputs, labels)
    return -F.log_softmax(outputs, -1).gather(-1, _index(outputs, labels)).squeeze(-1).mean(-1)


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
    return sums.abs().sum(-1) / labels.shape[-1]


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


def moran(field: Tensor, dims: int = 2) -> Tensor:
    r"""Return Moran's I of fields of shape (..., H, W), or chains (..., L) with ``dims=1``; NaN for a constant one.

    .. math::
        I = \frac{n}{W}\,\frac{\sum_{i\sim j} z_i z_j}{\sum_i z_i^2}, \qquad z = f - \operatorname{mean} f

    over the W ordered pairs of rook neighbours, without periodic ones. About 1 is smooth and -1 a chessboard; the
    mean over all permutations of the values is :math:`-1/(n-1)`. Source: Moran (1950).

    Raises:
        ValueError: ``dims`` is not 1 or 2, or the field is not of floats or has no neighbours; so do the next two.
    """
    z, pairs = _neighbours(field, dims)
    axes = tuple(range(-dims, 0))
    products = sum((a * b).sum(axes) for a, b in pairs)
    return products / _edges(field, dims) / z.square().mean(axes)


def geary(field: Tensor, dims: int = 2) -> Tensor:
    r"""Return Geary's C, of shape (...), at least 0; NaN for a constant field.

    .. math::
        C = \frac{n-1}{2W}\,\frac{\sum_{i\sim j} (z_i - z_j)^2}{\sum_i z_i^2}

    Its mean over all permutations of the values is 1, and smooth is small. Source: Geary (1954). Shapes and symbols
    as in :func:`moran`.
    """
    n = field[(0,) * (field.dim() - dims)].numel() if field.dim() >= dims else 0
    return dirichlet(field, dims) * (n - 1) / (2 * _edges(field, dims))


def dirichlet(field: Tensor, dims: int = 2) -> Tensor:
    r"""Return the normalized Dirichlet energy :math:`\sum_{i\sim j}(z_i - z_j)^2 / \sum_i z_i^2`, each pair once.

    A Rayleigh quotient of the graph's Laplacian: on a chain of n from :math:`2 - 2\cos(\pi/n)` (half a cosine) to
    below 4 (alternating signs), on a grid to below 8; NaN for a constant field. It is Geary's C times W/(n - 1).
    Shapes and symbols as in :func:`moran`.
    """
    z, pairs = _neighbours(field, dims)
    axes = tuple(range(-dims, 0))
    return sum((a - b).square().sum(axes) for a, b in pairs) / z.square().sum(axes)


def corruption_error(errors: pd.Series) -> float:
    r"""Return the mean over families of the mean over severities of ``errors``, indexed by (family, severity).

    In the unit of the errors. Hendrycks and Dietterich (2019) divide each family by the error of a reference
    network; here the arms of a study are compared with each other, and their difference is to be in points.

    Raises:
        ValueError: an error is missing, not finite or there twice, or families differ in their severities.
    """
    if errors.index.nlevels != 2 or errors.index.has_duplicates or errors.empty:
        raise ValueError(f"errors need one value for each (family, severity), got the index {list(errors.index)}")
    table = errors.astype(float).unstack()
    if not table.map(math.isfinite).all(axis=None):
        raise ValueError(f"every family needs a finite error at every severity, got\n{table}")
    return float(table.to_numpy().mean())


def relative_corruption_error(errors: pd.Series, clean: float) -> float:
    """Return :func:`corruption_error` less the error ``clean`` on clean images: what the corruptions add.

    Raises:
        ValueError: as :func:`corruption_error`, or ``clean`` is not finite.
    """
    if not math.isfinite(clean):
        raise ValueError(f"the error on clean images must be finite, got {clean}")
    return corruption_error(errors) - clean


class Duration(NamedTuple):
    """A number of epochs, and whether the event was seen then; if not, it was not seen up to then (censored)."""

    epochs: int
    observed: bool


def epochs_to_threshold(history: pd.DataFrame, column: str, threshold: float, *, budget: int | None = None) -> Duration:
    """Return the first epoch of one run at which ``column`` is at least ``threshold``, or its last one, censored.

    Args:
        history: one row per epoch, with the columns ``epoch`` and ``column``. A value that is NaN reaches nothing.
        budget: the last epoch of the design. A run that ended before it because it diverged would never have
            arrived, and to censor it at its last epoch would say that it might have; give the budget, and it is
            censored there.

    Raises:
        ValueError: the history has no rows, no such column, or two rows of one epoch; the threshold is NaN; or the
            history goes beyond the budget.
    """
    if not {"epoch", column} <= set(history) or history.empty:
        raise ValueError(f"the history needs rows with 'epoch' and {column!r}; it has {list(history.columns)}")
    if history.epoch.duplicated().any():
        raise ValueError("the history has several rows of one epoch; give the rows of one run")
    if math.isnan(threshold):
        raise ValueError("the threshold is NaN; give a value of the column that a run may reach")
    last = int(history.epoch.max())
    if budget is not None and budget < last:
        raise ValueError(f"the history goes to epoch {last}, beyond the budget of {budget}")
    reached = history.epoch[history[column] >= threshold]
    return Duration(budget or last, False) if reached.empty else Duration(int(reached.min()), True)


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


def _neighbours(field: Tensor, dims: int) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Return z, and for each axis its values beside their neighbours."""
    if dims not in (1, 2) or field.dim() < dims:
        raise ValueError(f"a field needs dims of 1 or 2 and that many axes, got dims={dims}, {tuple(field.shape)}")
    if max(field.shape[-dims:]) < 2 or not field.is_floating_point():
        raise ValueError(f"a field needs floats with neighbours, got {field.dtype}, {tuple(field.shape)}, dims={dims}")
    axes = tuple(range(-dims, 0))
    z = field - field.mean(axes, keepdim=True)
    # The mean of equal values is not always that value: without this, rounding would pass for a field.
    z = z.masked_fill(field.amax(axes, keepdim=True) == field.amin(axes, keepdim=True), float("nan"))
    sizes = [(axis, z.shape[axis] - 1) for axis in axes]
    return z, [(z.narrow(axis, 0, size), z.narrow(axis, 1, size)) for axis, size in sizes]


def _edges(field: Tensor, dims: int) -> int:
    """Return W/2, the number of pairs of neighbours, each once."""
    sizes = field.shape[-dims:]
    return sum(math.prod(sizes) // size * (size - 1) for size in sizes)
