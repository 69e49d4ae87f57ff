"""Chains of standardized networks that are cooled together, each on its own images, in an order that never changes."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from physnn.lab.data.images import Dataset, Split
from physnn.lab.models.standard import Standard
from physnn.lab.training.cooling import Cooling
from physnn.lab.training.engine import Engine
from physnn.lab.training.task import Budget

LEFT = 50  # one image of so many is left out
READ = 20  # steps from one reading of what that changes to the next
PIECE = 1000  # images that are evaluated at a time: of twenty chains 63 MB


class Chains:
    """R networks, and the images that bounds are of.

    Args:
        networks: with weights drawn from their prior. They are copied.
        loss: of one network's outputs and labels.
        motions: for each its learning rate, for weights of spread 1, its damping, and the generator of its noise.
        places: the training images of each, of shape (R, n).
        labels: their labels, of that shape.
        data: whose images they are.
        budget: the size of minibatches, which divides n, and the device.

    Attributes:
        count: n.
    """

    def __init__(
        self,
        networks: Sequence[Standard],
        loss: Callable[[Tensor, Tensor], Tensor],
        motions: Sequence[tuple[float, float, torch.Generator]],
        places: Tensor,
        labels: Tensor,
        data: Dataset,
        budget: Budget,
    ) -> None:
        rates, dampings, noise = zip(*motions, strict=True)
        lrs = [rate / network.spread**2 for rate, network in zip(rates, networks, strict=True)]
        self.engine = Engine(networks, loss, partial(Cooling, lrs, dampings, noise), device=budget.device)
        self.update: Cooling = self.engine.update  # type: ignore[assignment]
        self.originals, self.places, self.labels, self.data = networks, places, labels, data
        self.batch, self.count, self.taken = budget.batch_size, places.shape[1], 0

    def rest(self) -> dict[str, Tensor]:
        """Return what :meth:`rung` does, of the first minibatch and no step."""
        with torch.no_grad():
            x, y = self._part(0)
            loss = self.engine.losses(self.engine.forward(x), y).double()
        return self._measured(loss, torch.zeros_like(loss))

    def rung(self, temperature: float, steps: int) -> dict[str, Tensor]:
        """Take the steps of a temperature.

        Returns:
            Of shape (R,) each: ``loss``, the mean of the second half of the steps; ``heat`` and ``path`` of all steps
            since the start, of :class:`physnn.lab.training.cooling.Cooling`; and ``left``, the information of these
            steps on one image given the others, in nats.
        """
        self.update.cool(temperature)
        aside = self.batch // LEFT
        left, values = torch.zeros(len(self.engine.alive), dtype=torch.float64), []
        for i in range(steps):
            x, y = self._next()
            loss, grads = self.engine.gradients(x, y)
            if i % READ == 0:
                _, without = self.engine.gradients(x[:, aside:], y[:, aside:])
                apart = self.update.shift([a - b for a, b in zip(grads, without, strict=True)])
                left += min(READ, steps - i) * apart * self.batch / (aside * self.count)
            self.update.step(grads)
            values.append(loss.double())
        self.engine.settle()
        return self._measured(torch.stack(values[steps // 2 :]).mean(0), left)

    def descend(self, steps: int) -> None:
        """Take steps without noise and decay, before any temperature."""
        for _ in range(steps):
            _, grads = self.engine.gradients(*self._next())
            self.update.step(grads)
        self.engine.settle()

    def drop(self, alive: Sequence[bool]) -> None:
        """Put the chains at rest that are not alive, as those that diverge."""
        for i in [i for i, each in enumerate(alive) if not each]:
            self.engine.alive[i] = False
            self.update.freeze(i)

    def networks(self) -> list[Standard]:
        """Return the networks as they have become."""
        with torch.no_grad():
            for i, network in enumerate(self.originals):
                for p, moved in zip(network.parameters(), self.engine.params, strict=True):
                    p.copy_(moved[i])
        return list(self.originals)

    def errors(self) -> Tensor:
        """Return shares of wrong answers to all of the images, (R,)."""
        wrong = torch.zeros(len(self.places), dtype=torch.float64)
        for first in range(0, self.count, PIECE):
            x, y = self._part(first, PIECE)
            wrong += (self.engine.outputs(x).argmax(-1) != y).sum(1).cpu()
        return wrong / self.count

    def spread_errors(self, draws: int, generator: torch.Generator) -> Tensor:
        """Return :meth:`errors` in the mean over weights z + η, η standard normal and the same for all networks."""
        with torch.no_grad():
            means, found = [p.clone() for p in self.engine.params], []
            for _ in range(draws):
                for p, mean in zip(self.engine.params, means, strict=True):
                    p.copy_(mean + torch.randn(p.shape[1:], generator=generator).to(p))
                found.append(self.errors())
            for p, mean in zip(self.engine.params, means, strict=True):
                p.copy_(mean)
        return torch.stack(found).mean(0)

    def accuracy(self, split: Split, count: int) -> Tensor:
        """Return shares of right answers to the first images of a split, (R,)."""
        right = torch.zeros(len(self.engine.alive), dtype=torch.float64)
        for images, labels in zip(split.images[:count].split(PIECE), split.labels[:count].split(PIECE), strict=True):
            outputs = self.engine.outputs(self.data.as_input(images).unsqueeze(0))
            right += (outputs.argmax(-1) == labels).sum(1).cpu()
        return right / min(count, len(split))

    def _next(self) -> tuple[Tensor, Tensor]:
        first = self.taken * self.batch % self.count
        self.taken += 1
        return self._part(first)

    def _part(self, first: int, size: int | None = None) -> tuple[Tensor, Tensor]:
        places = self.places[:, first : first + (size or self.batch)]
        x = self.data.as_input(self.data.train.images[places.flatten()]).unflatten(0, places.shape)
        return x, self.labels[:, first : first + places.shape[1]]

    def _measured(self, loss: Tensor, left: Tensor) -> dict[str, Tensor]:
        return {"loss": loss, "heat": self.update.heat.clone(), "path": self.update.path.clone(), "left": left}
