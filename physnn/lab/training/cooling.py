"""The proposal's optimizer on standardized weights, cooled by steps, with an account of the entropy it gives off."""

from collections.abc import Sequence

import torch
from torch import Tensor

from physnn.lab.physics.entropy import START, RestLaw, carry, heat, rest_law
from physnn.scheme import noise_variance, single_tensor

SCHEME = "post"


class Cooling:
    r"""Steps of R chains at one temperature after the other, the weight decay always as large as the temperature.

    So the prior of the weights z, :math:`\mathcal N(0, I)`, is the same at every temperature, but for the size of the
    steps, with which weights and velocities are carried over (:func:`physnn.lab.physics.entropy.carry`).

    Args:
        lrs: the chains' learning rates, of the standardized weights.
        dampings: their dampings.
        noise: the generators of their noise.
        params: their weights z, each of shape (R, ...), drawn from the prior.

    Attributes:
        heat: entropy given to the bath so far, of shape (R,), in nats: a bound of KL from the prior in the mean.
        path: KL of the steps so far from the same ones without a loss, of shape (R,).
        temperature: of all chains; 0 before the first call of :meth:`cool`.
    """

    def __init__(
        self,
        lrs: Sequence[float],
        dampings: Sequence[float],
        noise: Sequence[torch.Generator],
        params: Sequence[Tensor],
    ) -> None:
        self.params, self.noise = params, noise
        self.lr, self.damping = (torch.tensor(each, dtype=torch.float64) for each in (lrs, dampings))
        self.velocities = [torch.zeros_like(p) for p in params]
        self.heat, self.path = torch.zeros(2, len(lrs), dtype=torch.float64)
        self.laws: list[RestLaw | None] = [None] * len(lrs)
        self.temperature = 0.0

    @torch.no_grad()
    def cool(self, temperature: float) -> None:
        """Bring all chains to another temperature, above 0; at the first one velocities are drawn.

        Raises:
            ValueError: a chain's steps would not be stable there.
        """
        if not self.temperature:
            for v, eta in zip(self.velocities, self._draw(), strict=True):
                v.copy_(eta)
        self.temperature = temperature
        for i, rate in enumerate(self.lr.tolist()):
            if rate == 0:  # at rest
                continue
            law, last = rest_law(rate, self.damping[i].item(), temperature), self.laws[i]
            pair = ([tensor.detach()[i] for tensor in several] for several in (self.params, self.velocities))
            carry(START if last is None else last, law, *pair)
            self.laws[i] = law

    @torch.no_grad()
    def step(self, grads: Sequence[Tensor]) -> None:
        """Take a step with the loss's gradients, each of shape (R, ...)."""
        before = [v.clone() for v in self.velocities]
        spread = noise_variance(SCHEME, self.lr, self.damping, self.temperature)
        numbers = {"lr": self.lr, "momentum": 1 - self.damping, "noise_std": torch.as_tensor(spread).sqrt()}
        noise = self._draw() if self.temperature else [None] * len(before)
        for p, g, v, eta in zip(self.params, grads, self.velocities, noise, strict=True):
            own = {name: _like(number, p) for name, number in numbers.items()}
            some = None if eta is None else [eta]
            single_tensor(SCHEME, [p], [g.clone()], [v], some, weight_decay=self.temperature, **own)
        if self.temperature:
            self.heat += heat(grads, before, self.velocities, self.temperature)
            self.path += self.shift(grads)

    def shift(self, differences: Sequence[Tensor]) -> Tensor:
        """Return KL of a step with gradients that differ by this, of shape (R,); see
        :func:`physnn.lab.statistics.bounds.path_kl`."""
        squares = sum(d.double().square().reshape(len(d), -1).sum(1) for d in differences)
        return self.lr * squares / (4 * self.damping * self.temperature)

    def freeze(self, i: int) -> None:
        """Put a chain at rest, at zero."""
        self.lr[i] = 0.0
        for tensor in (*self.params, *self.velocities):
            tensor.detach()[i] = 0.0

    def _draw(self) -> list[Tensor]:
        sizes = [p[0].numel() for p in self.params]
        flat = torch.stack([torch.randn(sum(sizes), generator=generator) for generator in self.noise])
        several = zip(flat.split(sizes, 1), self.params, strict=True)
        return [part.view_as(p).to(p.device) for part, p in several]


def _like(numbers: Tensor, tensor: Tensor) -> Tensor:
    """View numbers of shape (R,) so that they multiply tensors of shape (R, ...)."""
    return numbers.to(tensor.device, tensor.dtype).view(-1, *(1 for _ in tensor.shape[1:]))
