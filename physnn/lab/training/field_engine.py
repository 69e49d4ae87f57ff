"""Networks trained together in a field: the loss of each on labelled images, and its energy on a graph's nodes."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from physnn.lab.models.ordered import Recipe
from physnn.lab.physics.conserved import conserved_energy
from physnn.lab.training.engine import Engine


class FieldEngine(Engine):
    """Replicas in a field: outputs are those of labelled images, then of nodes, then of one other node for each."""

    recipes: Sequence[Recipe]
    shares: Tensor | None
    passed = 0.0  # share of the training
    apart: Tensor

    @property
    def led(self) -> bool:
        """Whether the graph teaches, alone or before the field."""
        return self.recipes[0].loss == "taught" or self.passed < self.recipes[0].lead

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return each replica's loss, of shape (R,), for labels (R, B), or (1, B) for all, of the first B outputs."""
        kind, count = self.recipes[0].loss, y.shape[1]
        if kind == "printed":
            return self._printed(outputs, y)
        wrong = -F.log_softmax(outputs[:, :count], -1).gather(2, y.expand(len(outputs), -1).unsqueeze(2)).mean((1, 2))
        if kind != "field" or self.led:
            return wrong
        here, there = outputs[:, count:].softmax(-1).chunk(2, 1)
        self.apart = (here - there).detach().square().sum(-1).mean(-1)
        ramp, lead = self.recipes[0].ramp, self.recipes[0].lead
        risen = min(1.0, (self.passed - lead) / ramp) if ramp else 1.0
        energy = conserved_energy(
            here,
            there.unsqueeze(2),
            torch.ones_like(here[..., :1]),
            stiffness=self._of("stiffness") * self._of("softening") ** (1 - risen),
            depth=self._of("depth") * risen,
            shares=self.shares,
            conservation=self._of("conservation"),
            sharpening=self.recipes[0].sharpening,
        )
        return wrong + energy

    def _printed(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the post's loss with the graph in the place of the class index, and its outputs as they are."""
        u = outputs / outputs.abs().amax((1, 2), keepdim=True).clamp(min=1e-12)
        d = u[:, : y.shape[1]] - F.one_hot(y, u.shape[-1])
        here, there = u[:, y.shape[1] :].chunk(2, 1)
        apart = (here - there).square().sum(-1).mean(-1)
        self.apart = apart.detach()
        return ((0.0035 * d.square() - 5 * d.pow(4)).mean((1, 2)) + self._of("stiffness") / 2 * apart).abs()

    def _of(self, name: str) -> Tensor:
        return torch.tensor([getattr(recipe, name) for recipe in self.recipes], device=self.params[0].device)
