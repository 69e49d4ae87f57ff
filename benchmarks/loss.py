"""The loss against cross-entropy, on class outputs, and against the squared error, on fields."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.harness import Row, compare
from physnn import GinzburgLandauLoss

FUSED, COMPOSED = "GinzburgLandauLoss", "GinzburgLandauLoss(fused=False)"
CASES = (
    ((128, 10), "cross_entropy", "<= 2.2", "1.7"),
    ((1024, 10), "cross_entropy", "<= 0.7", "0.5"),
    ((128, 1, 28, 28), "mse_loss", "<= 7.5", "6"),
)


def rows() -> Iterator[Row]:
    for shape, against, must, aim in CASES:
        phi = torch.randn(shape, requires_grad=True)
        target = torch.randint(shape[1], shape[:1]) if len(shape) == 2 else torch.rand(shape)
        losses = {
            against: getattr(F, against),
            FUSED: GinzburgLandauLoss(),
            COMPOSED: GinzburgLandauLoss(fused=False),
        }
        runs = {name: step(loss, phi, target) for name, loss in losses.items()}
        title = f"loss, {'x'.join(map(str, shape))}: "
        yield from compare(runs, against, must={FUSED: must}, aim={FUSED: aim}, title=title)


def step(loss: Callable[[Tensor, Tensor], Tensor], phi: Tensor, target: Tensor) -> Callable[[], None]:
    def run() -> None:
        phi.grad = None
        loss(phi, target).backward()

    return run
