"""The optimizers of many networks at once: numbers of each replica's own, on parameters with a first axis R."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from physnn.lab.models.dynamics import Dynamics
from physnn.noise import draw, room
from physnn.scheme import noise_variance, single_tensor

THERMOMETER = 10  # steps from one reading of the temperatures to the next


class Update:
    r"""The steps of R replicas of one family of optimizers: what their recipes' modules would do one by one.

    Langevin is that of :class:`physnn.Langevin`, whose T = 0 is SGD with momentum :math:`1-\gamma`, by the same
    functions of :mod:`physnn.scheme`; Adam and AdamW are torch's. A cosine schedule multiplies by
    :math:`(1 + \cos(\pi n/N))/2` at step n of N.

    Args:
        recipes: one for each replica, all of one family and scheme.
        lrs: their learning rates.
        noise: the generators of their noise.
        params: their parameters, of shape (R, ...).
        steps: how many there are, N.
        learned: for each parameter, whether each replica trains it: shape (R,), or None where all do; None where all
            train all.

    Attributes:
        readings: kinetic and configurational temperatures of the steps at which they were read, shape (2, R); NaN for
            Adam. They are :class:`physnn.Thermometer`'s.
    """

    def __init__(
        self,
        recipes: Sequence[Dynamics],
        lrs: Sequence[float],
        noise: Sequence[torch.Generator],
        params: Sequence[Tensor],
        steps: int,
        learned: Sequence[Tensor | None] | None = None,
    ) -> None:
        device = params[0].device
        self.recipes, self.noise, self.params, self.steps = recipes, noise, params, steps
        self.learned = [None] * len(params) if learned is None else learned
        self.family, self.scheme, self.taken = recipes[0].optimizer, recipes[0].scheme, 0
        self.velocities = [torch.zeros_like(p) for p in params]  # Adam: first moments
        self.squares = [torch.zeros_like(p) for p in params] if self.family != "langevin" else []
        self.sizes = [p[0].numel() for p in params]
        self.last: Tensor | None = None
        names = ("damping", "weight_decay", "temperature")
        columns = [[lr, *(getattr(r, name) for name in names)] for r, lr in zip(recipes, lrs, strict=True)]
        self.lr, self.damping, self.decay, self.temperature = torch.tensor(columns, dtype=torch.float64).T.clone()
        self.decays, self.hot = bool(self.decay.any()), [i for i, r in enumerate(recipes) if r.temperature > 0]
        schedules = [[r.lr_schedule == "cosine", r.temperature_schedule == "cosine"] for r in recipes]
        self.cosines = torch.tensor(schedules).T
        several = zip(self.sizes, self.learned, strict=True)
        ones = torch.ones(len(recipes), dtype=torch.float64)
        self.trained = sum(size * (ones if flags is None else flags.double().cpu()) for size, flags in several)
        self.device, self.readings = device, []
        self._numbers()

    @torch.no_grad()
    def step(self, grads: Sequence[Tensor]) -> None:
        """Move the parameters; ``grads`` may be changed."""
        if self.cosines.any():
            last = self.rate
            self._numbers()
            if self.scheme != "post" and self.taken:  # as physnn.Langevin does by default
                factor = torch.where(last > 0, (self.rate / last).sqrt(), 1.0)
                for v in self.velocities:
                    v.mul_(_like(factor, v))
        for g, learned in zip(grads, self.learned, strict=True):
            if learned is not None:
                g.mul_(_like(learned, g))
        if self.family == "langevin":
            self._langevin(grads)
        else:
            self._adam(grads)
        self.taken += 1

    def temperatures(self) -> Tensor:
        """Return the means of the readings since the last call, shape (2, R); NaN where there are none."""
        readings, self.readings = self.readings, []
        return torch.stack(readings).mean(0) if readings else torch.full((2, len(self.recipes)), torch.nan)

    def freeze(self, i: int) -> None:
        """Put a replica at rest, at zero."""
        self.lr[i] = self.decay[i] = self.temperature[i] = 0.0
        for tensors in (self.params, self.velocities, self.squares):
            for tensor in tensors:
                tensor.detach()[i] = 0.0
        self._numbers()

    def _numbers(self) -> None:
        factor = (1 + math.cos(math.pi * min(self.taken / self.steps, 1.0))) / 2
        of_lr, of_temperature = torch.where(self.cosines, factor, 1.0).double()
        lr, temperature = self.lr * of_lr, self.temperature * of_temperature
        numbers = lr, 1 - self.damping, self.decay, noise_variance(self.scheme, lr, self.damping, temperature).sqrt()
        self.rate, self.momentum, self.pull, self.std = (
            number.to(self.device, self.params[0].dtype) for number in numbers
        )

    def _langevin(self, grads: Sequence[Tensor]) -> None:
        reading = self.taken % THERMOMETER == 0
        virials, squares = [], []
        kicks = self._kicks()
        for k, (p, v, g) in enumerate(zip(self.params, self.velocities, grads, strict=True)):
            pull: Tensor | float = 0.0
            if self.decays:
                pull = _like(self.pull if self.learned[k] is None else self.pull * self.learned[k], p)
            if reading:
                force = g.addcmul(p, pull) if self.decays else g
                virials.append((p * force).reshape(len(p), -1).sum(1))
                before = v.clone() if self.scheme == "post" else None
            numbers = {"lr": self.rate, "momentum": self.momentum, "noise_std": self.std}
            numbers = {name: _like(number, p) for name, number in numbers.items()}
            eta = None if kicks is None else [kicks[k].view_as(v)]
            single_tensor(self.scheme, [p], [g], [v], eta, weight_decay=pull, **numbers)
            if reading:
                w = v if before is None else before.add_(v).div_(2)
                squares.append(w.square().reshape(len(w), -1).sum(1))
        if reading:
            kinetic = sum(squares).double().cpu() / (self.rate.double().cpu() * self.trained)
            self.readings.append(torch.stack([kinetic, sum(virials).double().cpu() / self.trained]))

    def _adam(self, grads: Sequence[Tensor]) -> None:
        first, second, eps, n = 0.9, 0.999, 1e-8, self.taken + 1  # torch's defaults
        for p, m, s, g in zip(self.params, self.velocities, self.squares, grads, strict=True):
            rate, pull = _like(self.rate, p), _like(self.pull, p)
            if self.decays and self.family == "adam":
                g = g.addcmul_(p, pull)
            elif self.decays:
                p.mul_(1 - rate * pull)
            m.lerp_(g, 1 - first)
            s.mul_(second).addcmul_(g, g, value=1 - second)
            p.addcdiv_(m * (rate / (1 - first**n)), (s / (1 - second**n)).sqrt_().add_(eps), value=-1)
        if self.taken % THERMOMETER == 0:
            self.readings.append(torch.full((2, len(self.recipes)), torch.nan, dtype=torch.float64))

    def _kicks(self) -> list[Tensor] | None:
        """Draw every warm replica's noise of variance 1 from its own generator; for gjf the mean of two."""
        if not self.hot:
            return None
        eta = self._draw()
        if self.scheme == "gjf":
            last = self._draw_first(eta) if self.last is None else self.last
            self.last, eta = eta, (eta + last) / 2
        return list(eta.split(self.sizes, 1))

    def _draw_first(self, eta: Tensor) -> Tensor:
        """Return what was drawn as the noise before the first step, and draw that of the first step."""
        last = eta.clone()
        eta.copy_(self._draw())
        return last

    def _draw(self) -> Tensor:
        total = sum(self.sizes)
        flat = torch.zeros(len(self.recipes), room(total), dtype=self.params[0].dtype)
        for i in self.hot:
            kind = self.recipes[i].noise
            if kind == "byte-sum":  # the small ones first, as the optimizer has them
                order = sorted(range(len(self.sizes)), key=self.sizes.__getitem__)
                drawn = draw(kind, [self.sizes[k] for k in order], self.noise[i], flat[i])
                by_size = dict(zip(order, drawn, strict=True))
                flat[i, :total] = torch.cat([by_size[k] for k in range(len(order))])
            else:
                draw(kind, self.sizes, self.noise[i], flat[i])
        return flat[:, :total].to(self.device)


def _like(numbers: Tensor, tensor: Tensor) -> Tensor:
    """View numbers of shape (R,) so that they multiply tensors of shape (R, ...)."""
    return numbers.view(-1, *(1 for _ in tensor.shape[1:]))
