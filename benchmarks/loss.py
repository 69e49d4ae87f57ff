"""The loss against cross-entropy, on class outputs, and against the squared error, on fields."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.harness import Bench, Row
from physnn import GinzburgLandauLoss

FUSED, COMPOSED = "GinzburgLandauLoss", "GinzburgLandauLoss(fused=False)"
CASES = (
    ((128, 10), "cross_entropy", "<= 2.2", "1.7"),
    ((1024, 10), "cross_entropy", "<= 0.7", "0.5"),
    ((128, 1, 28, 28), "mse_loss", "<= 7.5", "6"),
)
# Where a GPU has something to do.
LARGE = (((65536, 100), "cross_entropy", "", ""), ((256, 3, 224, 224), "mse_loss", "", ""))


def rows(bench: Bench) -> Iterator[Row]:
    for shape, against, must, aim in (*CASES, *(LARGE if bench.gpu and not bench.quick else ())):
        phi = torch.randn(shape, device=bench.device, requires_grad=True)
        target = torch.randint(shape[1], shape[:1]) if len(shape) == 2 else torch.rand(shape)
        target = target.to(bench.device)
        losses = {
            against: getattr(F, against),
            FUSED: GinzburgLandauLoss(),
            COMPOSED: GinzburgLandauLoss(fused=False),
        }
        runs = {name: step(loss, phi, target) for name, loss in losses.items()}
        title = f"loss, {'x'.join(map(str, shape))}: "
        wanted = {} if bench.gpu else {"must": {FUSED: must}, "aim": {FUSED: aim}}
        yield from bench.compare(runs, against, seconds=2 if bench.gpu else 6, title=title, **wanted)


def step(loss: Callable[[Tensor, Tensor], Tensor], phi: Tensor, target: Tensor) -> Callable[[], None]:
    def run() -> None:
        phi.grad = None
        loss(phi, target).backward()

    return run
