r"""Hamiltonian Monte Carlo of several chains at once: the exact reference for what a bath samples.

With momenta p of unit mass, L leaps of a step h along :math:`\dot q = p,\ \dot p = -\nabla U(q)`,

.. math::
    p \leftarrow p - \tfrac h2\nabla U, \quad q \leftarrow q + hp, \quad p \leftarrow p - \tfrac h2\nabla U,

and their end is taken with a chance of :math:`\min(1, e^{-\Delta H})`, :math:`H = U + |p|^2/2`: the law
:math:`e^{-U}` is kept exactly, whatever h is. Source: Duane et al. (1987); Neal (2011).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

JITTER = 0.2  # a trajectory's step is drawn within so much of it, or its length could be a period of the motion
Energy = Callable[[], tuple[Tensor, Sequence[Tensor]]]


class Hamiltonian:
    """K chains, each with its step and its chance.

    Args:
        params: parameters of shape (K, ...), which are moved.
        energy: returns U, of shape (K,), and its gradients, where the parameters are.
        steps: h of each chain, above 0.
        leaps: L, at least 1.
        generators: of each chain's momenta and decisions.

    Attributes:
        accepted: share of the proposals that each chain has taken, (K,); ``proposals`` is how many there were.
    """

    def __init__(
        self,
        params: Sequence[Tensor],
        energy: Energy,
        steps: Sequence[float],
        leaps: int,
        generators: Sequence[torch.Generator],
    ) -> None:
        self.params, self.energy, self.leaps, self.generators = params, energy, leaps, generators
        self.steps = torch.tensor(steps, dtype=params[0].dtype, device=params[0].device)
        self.proposals, self.taken = 0, torch.zeros(len(self.steps), dtype=torch.float64)
        self.now: tuple[Tensor, list[Tensor]] | None = None

    @property
    def accepted(self) -> Tensor:
        return self.taken / max(self.proposals, 1)

    def propose(self) -> Tensor:
        """Make one proposal for each chain; return which were taken, (K,). An energy that is not finite is not."""
        energy, slopes = self.now or self._look()
        before = [p.detach().clone() for p in self.params]
        momenta = [self._drawn(p) for p in self.params]
        start = energy.double() + _half_square(momenta)
        lots = torch.stack([torch.rand(2, generator=each) for each in self.generators]).to(self.steps.device)
        step = self.steps * (1 + JITTER * (2 * lots[:, 0] - 1))
        found = slopes
        for leap in range(self.leaps):
            _add(momenta, found, -step if leap else -step / 2)
            with torch.no_grad():
                _add(self.params, momenta, step)
            reached, found = self._look()
        _add(momenta, found, -step / 2)
        rise = reached.double() + _half_square(momenta) - start
        takes = lots[:, 1] < (-rise).exp()  # false of what is no number
        with torch.no_grad():
            for p, old in zip(self.params, before, strict=True):
                p.copy_(torch.where(_like(takes, p), p, old))
        both = zip(found, slopes, strict=True)
        kept = [torch.where(_like(takes, new), new, old) for new, old in both]
        self.now = torch.where(takes, reached, energy), kept
        self.proposals, self.taken = self.proposals + 1, self.taken + takes.cpu()
        return takes

    def _look(self) -> tuple[Tensor, list[Tensor]]:
        energy, slopes = self.energy()
        return energy.detach(), [slope.detach().clone() for slope in slopes]

    def _drawn(self, like: Tensor) -> Tensor:
        drawn = [torch.randn(like.shape[1:], generator=each, dtype=like.dtype) for each in self.generators]
        return torch.stack(drawn).to(like.device)


def _add(tensors: Sequence[Tensor], others: Sequence[Tensor], factors: Tensor) -> None:
    for tensor, other in zip(tensors, others, strict=True):
        tensor.addcmul_(other, _like(factors, other))


def _half_square(momenta: Sequence[Tensor]) -> Tensor:
    return sum(p.double().square().reshape(len(p), -1).sum(1) for p in momenta) / 2


def _like(numbers: Tensor, tensor: Tensor) -> Tensor:
    """View numbers of shape (K,) so that they multiply tensors of shape (K, ...)."""
    return numbers.view(-1, *(1 for _ in tensor.shape[1:]))
