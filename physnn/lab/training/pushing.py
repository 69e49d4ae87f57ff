"""Push one output of trained networks by a small field in their loss, train on, and see which outputs move."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from physnn.lab.data.images import Dataset
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.stack import Stack

LOOKED_AT = 15  # batches of validation images
ORDER = 0xF1E1D  # the seed of the batches, the same for all

Seen = Callable[[Tensor, Sequence[Recipe]], Tensor]


def pushed(
    stack: Stack,
    images: Dataset,
    labels: Tensor,
    fields: Sequence[float],
    lrs: Sequence[float],
    *,
    steps: int,
    batch_size: int,
    seen: Seen,
) -> tuple[Tensor, Tensor]:
    r"""Return the responses :math:`\chi_{jk}` after half of the steps and after all, of shape (R, C, C) each.

    .. math::
        \chi_{jk} = \frac{\overline{u}_j(+h\ \text{on}\ k) - \overline{u}_j(-h\ \text{on}\ k)}{2h}

    Both twins start from the network as it is, at rest, take the same batches and no noise; the mean is over validation
    images, in batches as the loss sees them. The stack is left as it is.

    Args:
        labels: of the training images, (R, N).
        fields: h of each replica.
        lrs: the learning rate of each.
        steps: an even number of them, with the field on.
        seen: maps outputs (R, B, C) to what the field acts on.
    """
    classes = stack.recipes[0].widths[-1]
    twins = 2 * classes
    several = [replace(recipe, temperature=0.0) for recipe in stack.recipes for _ in range(twins)]
    cold = Stack(
        several, [lr for lr in lrs for _ in range(twins)], [0] * len(several), steps, stack.device
    )  # whose start values are put out of the way
    with torch.no_grad():
        for p, trained in zip(cold.params, stack.params, strict=True):
            p.copy_(trained.repeat_interleave(twins, 0))
    sign = torch.tensor([1.0, -1.0], device=stack.device)
    h = (torch.tensor(fields, device=stack.device)[:, None, None] * sign).expand(-1, classes, 2)
    mask = torch.eye(classes, device=stack.device).repeat_interleave(2, 0).repeat(len(fields), 1)
    field = h.reshape(-1, 1) * mask
    train, order = images.train, torch.Generator().manual_seed(ORDER)
    batches: list[Tensor] = []
    found = []
    for step in range(1, steps + 1):
        batches = batches or list(torch.randperm(len(train), generator=order).to(stack.device).split(batch_size))
        index = batches.pop()
        x = images.as_input(train.images.index_select(0, index)).view(1, len(index), -1)
        outputs = cold.forward(x)
        losses, _ = cold.losses(outputs, labels[:, index].repeat_interleave(twins, 0))
        total = (losses - (field * seen(outputs, several).mean(1)).sum(1)).sum()
        cold.update.step(torch.autograd.grad(total, cold.params, materialize_grads=True))
        if step in (steps // 2, steps):
            found.append(_mean(cold, images, batch_size, seen).view(len(fields), classes, 2, classes))
    sizes = torch.tensor(fields, device=stack.device)[:, None, None]
    return tuple(((u[:, :, 0] - u[:, :, 1]) / (2 * sizes)).mT for u in found)


@torch.no_grad()
def _mean(stack: Stack, images: Dataset, batch_size: int, seen: Seen) -> Tensor:
    parts = images.validation.images[: LOOKED_AT * batch_size].split(batch_size)
    several = [stack.forward(images.as_input(part).view(1, len(part), -1)) for part in parts]
    return torch.stack([seen(outputs, stack.recipes).mean(1) for outputs in several]).mean(0)
