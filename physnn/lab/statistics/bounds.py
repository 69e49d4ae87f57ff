r"""Bounds of the error on unseen samples: PAC-Bayes, Gibbs by its training errors, and the information of a path.

All are of a share of wrong answers, between 0 and 1. ``n`` independent samples are those on which the error was
counted; a prior must not depend on them, and KL is that of the law of the weights from that prior, in nats.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from scipy import optimize

RADIUS = 0.5  # a number between 0 and 1 is sub-Gaussian with this parameter (Hoeffding's lemma)


def binary_kl(first: float, second: float) -> float:
    r"""Return the relative entropy of two coins, in nats.

    .. math::
        \operatorname{kl}(q, p) = q\ln\frac qp + (1-q)\ln\frac{1-q}{1-p}

    It is infinite where p excludes what q allows.

    Raises:
        ValueError: one is no share.
    """
    if not (0 <= first <= 1 and 0 <= second <= 1):
        raise ValueError(f"shares must be between 0 and 1, got {first} and {second}")
    return sum(_term(a, b) for a, b in ((first, second), (1 - first, 1 - second)))


def kl_inverse(error: float, budget: float) -> float:
    r"""Return the largest p with :math:`\operatorname{kl}(q, p) \le c`, for q = ``error`` and c = ``budget``.

    It is :math:`1 - e^{-c}` at q = 0, and below Pinsker's :math:`q + \sqrt{c/2}`. A budget below 0, which only noise
    in an estimate can give, counts as 0.

    Raises:
        ValueError: the error is no share, or the budget no number.
    """
    if not 0 <= error <= 1 or math.isnan(budget):
        raise ValueError(f"error must be between 0 and 1 and budget a number, got {error} and {budget}")
    if budget <= 0 or error == 1:
        return float(error)
    if binary_kl(error, top := 1 - 1e-15) <= budget:
        return 1.0
    return float(optimize.brentq(lambda p: binary_kl(error, p) - budget, error, top, xtol=1e-12))


def pac_bayes(error: float, divergence: float, n: int, delta: float = 0.05, choices: int = 1) -> float:
    r"""Return the PAC-Bayes bound of the error of weights drawn from a law Q: Maurer (2004), for n of at least 8.

    .. math::
        \operatorname{kl}\bigl(\hat e(Q), e(Q)\bigr) \le \frac1n\Bigl(\operatorname{KL}(Q\,|\,P)
        + \ln\frac{2m\sqrt n}{\delta}\Bigr)

    for all Q at once, with probability 1 - ``delta`` over the samples; of m = ``choices`` laws that are compared with
    as many priors, all hold together.

    Raises:
        ValueError: n is below 8, delta is not between 0 and 1, or there is no choice.
    """
    if n < 8 or not 0 < delta < 1 or choices < 1:
        raise ValueError(
            f"n must be at least 8, delta between 0 and 1, choices at least 1; got {n}, {delta}, {choices}"
        )
    return kl_inverse(error, (divergence + math.log(2 * choices * math.sqrt(n) / delta)) / n)


def held_out(error: float, n: int, delta: float = 0.05) -> float:
    r"""Return the bound of the error of a law that does not depend on the n samples: :math:`\operatorname{kl} \le
    \ln(1/\delta)/n`, with probability 1 - ``delta`` (Chernoff; Langford 2005).

    What a data-dependent prior has to be compared with: it spends the same samples.

    Raises:
        ValueError: n is below 1, or delta not between 0 and 1.
    """
    if n < 1 or not 0 < delta < 1:
        raise ValueError(f"n must be at least 1 and delta between 0 and 1, got {n} and {delta}")
    return kl_inverse(error, math.log(1 / delta) / n)


def gaussian_kl(distance: float, scale: float, prior_scale: float | None = None, size: int = 1) -> float:
    r"""Return KL of :math:`\mathcal N(\mu, s^2 I)` from :math:`\mathcal N(\mu_0, s_0^2 I)` in P = ``size`` coordinates.

    .. math::
        \frac{|\mu - \mu_0|^2}{2s_0^2} + \frac P2\Bigl(\frac{s^2}{s_0^2} - 1 - \ln\frac{s^2}{s_0^2}\Bigr)

    ``distance`` is :math:`|\mu - \mu_0|`, and ``prior_scale`` is :math:`s_0`, which is ``scale`` where it is None.

    Raises:
        ValueError: a scale is not above 0.
    """
    prior = scale if prior_scale is None else prior_scale
    if not (scale > 0 and prior > 0):
        raise ValueError(f"scales must be above 0, got {scale} and {prior}")
    ratio = (scale / prior) ** 2
    return distance**2 / (2 * prior**2) + size / 2 * (ratio - 1 - math.log(ratio))


def ladder_kl(inverse: Sequence[float], losses: Sequence[float]) -> float:
    r"""Return an upper bound of KL of the Gibbs law from its prior, by mean training losses at higher temperatures.

    .. math::
        \operatorname{KL}(G_\beta\,|\,G_0) = \int_0^\beta \langle\hat L\rangle_b\,db - \beta\langle\hat L\rangle_\beta
        \le \sum_{k<K} (b_{k+1} - b_k)\,\langle\hat L\rangle_{b_k} - b_K\langle\hat L\rangle_{b_K}

    with :math:`G_b \propto e^{-b\hat L}G_0`, ``inverse`` temperatures :math:`0 = b_0 < \dots < b_K = \beta`, and
    ``losses`` :math:`\langle\hat L\rangle` of the samples in equilibrium at each. The integral is minus the logarithm
    of the partition function; the sum is above it, as the mean loss falls with b. Source: the bound of Maurer, Mirzaei
    & Pontil (2025), which is :func:`pac_bayes` with this.

    Raises:
        ValueError: they are not of one length of at least 2, or the first inverse temperature is not 0, or one is not
            above the one before.
    """
    steps = [after - before for before, after in pairwise(inverse)]
    if len(inverse) != len(losses) or len(inverse) < 2 or inverse[0] != 0 or min(steps) <= 0:
        raise ValueError(
            f"inverse temperatures must rise from 0, with a loss for each, got {[*inverse]} and {len(losses)} losses"
        )
    area = sum(step * loss for step, loss in zip(steps, losses[:-1], strict=True))
    return area - inverse[-1] * losses[-1]


def expected_gap(information: float, n: float) -> float:
    r"""Return the bound of the mean difference of the error on unseen samples and on n samples: Xu & Raginsky (2017).

    .. math::
        \bigl|\operatorname{E}(e - \hat e)\bigr| \le R\sqrt{2I/n}, \qquad R = \tfrac12

    ``information`` is what the weights tell about the n samples, in nats: for Pensia, Jog & Loh (2018) that of all
    samples, for Negrea et al. (2019) that of the n which were left out, given the others. A mean over data sets and
    noise, not a statement about one run.

    Raises:
        ValueError: information is below 0 or n not above 0.
    """
    if not information >= 0 or not n > 0:
        raise ValueError(f"information must be at least 0 and n above 0, got {information} and {n}")
    return RADIUS * math.sqrt(2 * information / n)


def path_kl(shift: float, lr: float, damping: float, temperature: float) -> float:
    r"""Return KL of one step of the proposal's optimizer from the same step with another gradient.

    .. math::
        \frac{\alpha\,|g - g'|^2}{4\gamma T}

    ``shift`` is :math:`|g - g'|^2`: both steps are normal with variance :math:`2\gamma\alpha T`, and means that are
    :math:`\alpha(g' - g)` apart. Summed over steps, it bounds KL of the last weights (chain rule). With g' = 0 that is
    the information that :func:`expected_gap` needs of all samples; with g' the gradient without some, of these.

    Raises:
        ValueError: a rate, damping or temperature is not above 0.
    """
    if min(lr, damping, temperature) <= 0:
        raise ValueError(f"lr, damping and temperature must be above 0, got {lr}, {damping} and {temperature}")
    return lr * shift / (4 * damping * temperature)


def _term(q: float, p: float) -> float:
    if q == 0:
        return 0.0
    return math.inf if p == 0 else q * math.log(q / p)
