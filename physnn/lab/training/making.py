"""Pictures made from noise: by machines that are fitted to the reverse of dissolving ones, and by other models."""

from collections.abc import Sequence

import torch
from torch import Tensor

from physnn.lab.data.small import PIXELS
from physnn.lab.models import denoiser
from physnn.lab.models.generators import Boltzmann, Copula, Normal
from physnn.lab.models.maker import DT, STEPS, Recipe
from physnn.lab.models.reversal import Pictures, fit
from physnn.lab.physics import machine as machines
from physnn.lab.physics.machine import Machine


def fitted(recipe: Recipe, pictures: Tensor) -> list[Machine]:
    """Return the machines of a recipe, the one that works first in front, fitted to pictures (n, 64)."""
    fade, part = recipe.fade, STEPS // recipe.stages
    known = Pictures.of(recipe.amplitude * _with_copies(pictures, recipe.hidden))
    stages = [slice(start, start + part) for start in range(0, STEPS, part)]
    quartic = recipe.quartic / recipe.amplitude**2
    return [fit(known.faded(fade, steps), quartic) for steps in reversed(stages)]


def made_by(working: Sequence[Machine], recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Let machines make pictures: (made, 64), the heat of each (made,), and what their energies fell by, (made,)."""
    working = [each.to(torch.float32) for each in working]
    start = recipe.fade.noise(recipe.made, PIXELS + recipe.hidden, generator)
    x, emitted, fallen = machines.walk(working, start, STEPS, DT, generator)
    return (x - working[-1].slope(x))[:, :PIXELS] / recipe.amplitude, emitted, fallen


def reversed_paths(
    working: Sequence[Machine], recipe: Recipe, pictures: Tensor, generator: torch.Generator
) -> tuple[float, float]:
    r"""Return means over dissolving pictures (n, 64): how irreversible their paths are, and half of the heats.

    .. math::
        \begin{aligned}
        \ln \frac{P_0(\omega)}{\tilde P_\theta(\omega)} = {} & \tfrac12 \bigl(Q_0(\omega) + Q_\theta(\omega)\bigr) \\
        & + \int \bigl(\tfrac14 |\nabla V_\theta|^2 - \tfrac14 |\nabla V_0|^2
        - \tfrac12 \Delta V_\theta + \tfrac12 \Delta V_0\bigr)\,dt
        \end{aligned}

    in small steps, for a path :math:`\omega`, with the heats Q that the trap and the machine would emit along it. The
    heats are not all of it: the rest is as large in general, and only where both forces are one it is none.
    """
    fade, p = recipe.fade, recipe.amplitude * _with_copies(pictures, recipe.hidden).double()
    path, part = fade.paths(p, generator), STEPS // recipe.stages
    ratio = heats = torch.zeros(len(p), dtype=torch.float64)
    for k, centre in enumerate(fade.centres.tolist()):
        x, moved, own = path[k], path[k + 1], working[len(working) - 1 - k // part]
        back, trap = own.slope(moved), x - centre * p
        there = machines.action(trap, x, moved, DT)
        ratio = ratio + machines.action(back, moved, x, DT) - there
        heats = heats + machines.heat(own, x, moved, DT) + ((x - moved) * (trap + moved - centre * p)).sum(1) / 2
    return ratio.mean().item(), heats.mean().item() / 2


def others(
    recipe: Recipe, pictures: Tensor, lr: float, batch_size: int, seed: int, generator: torch.Generator
) -> Tensor:
    """Return what a model that is no machine makes, of shape (made, 64)."""
    if recipe.model == "normal":
        return Normal(pictures).draw(recipe.made, generator)
    if recipe.model == "copula":
        return Copula(pictures, generator).draw(recipe.made, generator)
    free = {"hidden": recipe.hidden, "lr": lr, "steps": recipe.steps, "batch_size": batch_size}
    if recipe.model == "boltzmann":
        gray = recipe.levels == "gray"
        return Boltzmann(pictures, generator=generator, gray=gray, **free).draw(recipe.made, generator)
    network = denoiser.train(pictures, recipe.fade, recipe.amplitude, clock=recipe.clock, seed=seed, **free)
    start = recipe.fade.noise(recipe.made, PIXELS, generator)
    return network.walk(recipe.fade, recipe.amplitude, start, generator, bounded=recipe.bounded)


def _with_copies(pictures: Tensor, hidden: int) -> Tensor:
    return torch.cat([pictures, pictures[:, :hidden]], 1)
