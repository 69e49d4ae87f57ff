"""The layer against ``nn.Linear`` and against the printed code."""

from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks.harness import Row, compare
from physnn import DynamicLinear, ExperimentalLayer
from physnn.lab.cost import largest_tensor
from tests import printed

BATCH, INPUTS, OUTPUTS = 128, 784, 1024


def rows() -> Iterator[Row]:
    for x_needs_grad, must, aim in ((True, "<= 1.10", "1.03"), (False, "<= 1.60", "1.5")):
        subjects = {
            "nn.Linear": nn.Linear(INPUTS, OUTPUTS, bias=False),
            "DynamicLinear": DynamicLinear(INPUTS, OUTPUTS),
        }
        x = torch.randn(BATCH, INPUTS, requires_grad=x_needs_grad)
        title = f"layer, x needs {'a' if x_needs_grad else 'no'} gradient: "
        runs = {name: step(layer, x) for name, layer in subjects.items()}
        yield from compare(
            runs, "nn.Linear", seconds=10, must={"DynamicLinear": must}, aim={"DynamicLinear": aim}, title=title
        )

    x = torch.randn(BATCH, INPUTS, requires_grad=True)
    pair = {
        "ExperimentalLayer": step(ExperimentalLayer(INPUTS, OUTPUTS, 0.1), x),
        "printed": step(printed.ExperimentalLayer(INPUTS, OUTPUTS, 0.1), x),
    }
    for row in compare(pair, "ExperimentalLayer", seconds=12, must={"printed": ">= 130"}, aim={"printed": "150"}):
        row.name = "layer: the printed code"
        yield row

    x = torch.randn(1024, INPUTS, requires_grad=True)
    layer = DynamicLinear(INPUTS, OUTPUTS)
    largest = largest_tensor(lambda: layer(x).sum().backward()) / 2**20
    yield Row("layer: largest tensor, B=1024", "bytes", largest, must="<= 8", unit="MiB", note="the printed code: 3136")


def step(layer: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    cotangent = torch.randn(len(x), OUTPUTS)

    def run() -> None:
        x.grad = None
        for parameter in layer.parameters():
            parameter.grad = None
        layer(x).backward(cotangent)

    return run
