"""The layer against ``nn.Linear`` and against the printed code."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks import printed
from benchmarks.harness import Bench, Row
from physnn import DynamicLinear, ExperimentalLayer
from physnn.lab.metrics.cost import largest_tensor

BATCH, INPUTS, OUTPUTS = 128, 784, 1024
WIDE = 4096  # batch, inputs and outputs: on a GPU the products of the small layer are shorter than their launch
MUST, AIM = {True: "<= 1.10", False: "<= 1.60"}, {True: "1.03", False: "1.5"}


def rows(bench: Bench) -> Iterator[Row]:
    for x_needs_grad in (True, False):
        title = f"layer, x needs {'a' if x_needs_grad else 'no'} gradient: "
        must, aim = ({}, {}) if bench.gpu else (MUST, AIM)
        yield from beside_linear(
            bench, (BATCH, INPUTS, OUTPUTS), x_needs_grad, title, must.get(x_needs_grad, ""), aim.get(x_needs_grad, "")
        )
        if bench.gpu:
            size = 512 if bench.quick else WIDE
            yield from beside_linear(bench, (size,) * 3, x_needs_grad, f"{title[:-2]}, {size} wide: ")

    x = torch.randn(BATCH, INPUTS, device=bench.device, requires_grad=True)
    pair = {
        "ExperimentalLayer": step(ExperimentalLayer(INPUTS, OUTPUTS, 0.1).to(bench.device), x, OUTPUTS),
        "printed": step(printed.ExperimentalLayer(INPUTS, OUTPUTS, 0.1).to(bench.device), x, OUTPUTS),
    }
    must, aim = ({}, {}) if bench.gpu else ({"printed": ">= 130"}, {"printed": "150"})
    for row in bench.compare(pair, "ExperimentalLayer", seconds=3 if bench.gpu else 12, must=must, aim=aim):
        row.name = "layer: the printed code"
        yield row

    x = torch.randn(1024, INPUTS, device=bench.device, requires_grad=True)
    layer = DynamicLinear(INPUTS, OUTPUTS, device=bench.device)
    largest = largest_tensor(lambda: layer(x).sum().backward()) / 2**20
    yield Row("layer: largest tensor, B=1024", "bytes", largest, must="<= 8", unit="MiB", note="the printed code: 3136")


def beside_linear(
    bench: Bench, size: tuple[int, int, int], x_needs_grad: bool, title: str, must: str = "", aim: str = ""
) -> list[Row]:
    batch, inputs, outputs = size
    subjects = {
        "nn.Linear": nn.Linear(inputs, outputs, bias=False, device=bench.device),
        "DynamicLinear": DynamicLinear(inputs, outputs, device=bench.device),
    }
    x = torch.randn(batch, inputs, device=bench.device, requires_grad=x_needs_grad)
    runs = {name: step(layer, x, outputs) for name, layer in subjects.items()}
    seconds = 3 if bench.gpu else 10
    return bench.compare(
        runs, "nn.Linear", seconds=seconds, must={"DynamicLinear": must}, aim={"DynamicLinear": aim}, title=title
    )


def step(layer: nn.Module, x: Tensor, outputs: int) -> Callable[[], None]:
    cotangent = torch.randn(len(x), outputs, device=x.device)

    def run() -> None:
        x.grad = None
        for parameter in layer.parameters():
            parameter.grad = None
        layer(x).backward(cotangent)

    return run
