"""Sampling a posterior: the temperature and the decay that it needs, and the prediction that its draws make together.

Chains and their draws are :class:`physnn.Chains` and :class:`physnn.Samples`, which this module has too.
"""

import math
import numbers
from typing import TypedDict

from torch import Tensor

from physnn.chains import Chains
from physnn.samples import Samples

__all__ = ["Chains", "Posterior", "Samples", "log_predictive", "posterior"]


class Posterior(TypedDict):
    """Options of :class:`physnn.Langevin`, or of a group of its parameters."""

    temperature: float
    weight_decay: float


def posterior(num_data: int, prior_std: float) -> Posterior:
    r"""Return the options with which :class:`physnn.Langevin` samples a Bayesian posterior.

    Where the loss L is the *mean* over N data of a negative log-likelihood, and the prior is normal with mean 0 and
    standard deviation s in every parameter,

    .. math::
        p(\theta \mid \text{data}) \propto \exp\Bigl(-N L(\theta) - \frac{|\theta|^2}{2 s^2}\Bigr)
        = \exp\biggl(-\frac{L(\theta) + \lambda_w|\theta|^2/2}{T}\biggr), \qquad
        T = \frac1N, \quad \lambda_w = \frac{1}{N s^2}

    ``Langevin(params, lr, damping=0.1, **posterior(N, s))``; for a prior of their own, some parameters are a group:
    ``{"params": layer.parameters(), **posterior(N, s)}``. The law is that of small steps and whole batches: large steps
    change it, and minibatches heat, in few directions much more than in the mean that a :class:`physnn.Thermometer`
    reads. A "cold" posterior has a lower temperature and this weight decay.

    Args:
        num_data: N, at least 1: of the whole training set, not of a minibatch.
        prior_std: s, above 0; ``math.inf`` for a flat prior, which only a likelihood that binds every parameter bears.

    Raises:
        TypeError: ``num_data`` is no whole number, or ``prior_std`` no number.
        ValueError: one is outside its range.

    Source: Welling & Teh (2011); Wenzel et al. (2020).
    """
    if isinstance(num_data, bool) or not isinstance(num_data, numbers.Integral):
        raise TypeError(f"num_data must be the number of training samples, a whole number, got {num_data!r}")
    if num_data < 1:
        raise ValueError(f"num_data must be at least 1, got {num_data}")
    if isinstance(prior_std, bool) or not isinstance(prior_std, numbers.Real):
        raise TypeError(f"prior_std must be a number, got {prior_std!r}")
    if not prior_std > 0:
        raise ValueError(f"prior_std must be above 0 (math.inf for a flat prior), got {prior_std}")
    return {"temperature": 1 / int(num_data), "weight_decay": 1 / (int(num_data) * float(prior_std) ** 2)}


def log_predictive(outputs: Tensor, dim: int | tuple[int, ...] = 0) -> Tensor:
    r"""Return the log of the mean over draws of the probabilities that outputs stand for.

    .. math::
        \log \bar p_c = \operatorname{logsumexp}_s\bigl(\log\operatorname{softmax}(f_s)_c\bigr) - \log S

    The mean of the probabilities, not of the outputs: that is the posterior's prediction. It is a log-probability, and
    what takes outputs takes it in their place: its softmax is :math:`\bar p` itself.

    Args:
        outputs: of shape (..., C), classes last, in which at least one other axis is that of the draws.
        dim: the axes of draws and of chains, which are averaged over; of ``Samples`` they are ``(0, 1)``.

    Returns:
        Log-probabilities, of the shape of ``outputs`` without the axes averaged over.

    Raises:
        ValueError: an axis is that of the classes or none, there is no draw, or outputs are NaN or infinite where no
            probability is made of them.
    """
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    rank = outputs.dim()
    real = {axis % rank for axis in axes if -rank <= axis < rank}
    if len(real) < len(axes) or not axes or rank - 1 in real:
        raise ValueError(f"dim must name axes before the last, which is that of the classes, of {rank}; got {dim}")
    if not outputs.numel():
        raise ValueError(f"there is nothing to average: outputs have shape {tuple(outputs.shape)}")
    if not outputs.amax(-1).isfinite().all():
        raise ValueError(
            "outputs hold NaN or +inf, or -inf for all classes: a mean with others would hide a chain that has diverged"
        )
    log_p = outputs.log_softmax(-1).logsumexp(tuple(real))
    return log_p - math.log(math.prod(outputs.shape[axis] for axis in real))
