"""The optimizer against fused SGD, against the loop that the formula suggests, and against its peers."""

import importlib
import math
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.harness import Bench, Row
from physnn import Langevin, Thermometer

MLP = [(1024, 784), (1024,), (256, 1024), (256,), (10, 256), (10,)]
SIZES = {"1.07 M": MLP, "25 M": [(1000, 1000)] * 25}
LR, DAMPING, TEMPERATURE = 1e-4, 0.1, 1e-4
LANGEVIN = {
    "Langevin": {},
    'Langevin(noise="two-point")': {"noise": "two-point"},
    'Langevin(noise="byte-sum", compiled=True)': {"noise": "byte-sum", "compiled": True},
}
EXACT, TWO_POINT, COMPILED = LANGEVIN
UNCHECKED, NOISE = "Langevin(check_finite=False)", "torch's normal_ alone"
EVERY, DEFAULT = "Thermometer(every=1)", "Thermometer()"
MUST = {
    "1.07 M": {TWO_POINT: "<= 4", COMPILED: "<= 6"},
    "25 M": {TWO_POINT: "<= 2.5", COMPILED: "<= 2.3"},
}
AIM = {
    "1.07 M": {TWO_POINT: "3.4", COMPILED: "3.9"},
    "25 M": {TWO_POINT: "2.2", COMPILED: "1.6"},
}


def rows(bench: Bench) -> Iterator[Row]:
    for size, shapes in SIZES.items():
        sgd = torch.optim.SGD(parameters(shapes), LR, momentum=1 - DAMPING, fused=True)
        options = {"damping": DAMPING, "temperature": TEMPERATURE}
        runs = {"fused SGD": sgd.step, "the plain loop": plain_loop(parameters(shapes))}
        for name, more in LANGEVIN.items():
            runs[name] = Langevin(parameters(shapes), LR, **options, **more).step
        seconds = 12 if size == "1.07 M" else 20
        found, absent = peers(shapes)
        for row in bench.compare({**runs, **found}, "fused SGD", seconds=seconds, must=MUST[size], aim=AIM[size]):
            row.name = f"optimizer, {size}: {row.name}"
            yield row
        title = f"optimizer, {size}: "
        loop = {"the plain loop": runs["the plain loop"], EXACT: runs[EXACT]}
        # The loop looks at no gradient, so neither does the one it is held against.
        loop[UNCHECKED] = Langevin(parameters(shapes), LR, **options, check_finite=False).step
        flat = torch.empty(sum(p.numel() for p in parameters(shapes)))
        loop[NOISE] = flat.normal_
        must = {UNCHECKED: "<= 0.97"}
        beside = f"optimizer beside the plain loop, {size}: "
        yield from bench.compare(loop, "the plain loop", seconds=seconds / 2, must=must, title=beside)
        logged = {EXACT: runs[EXACT]}
        for name, every in ((EVERY, 1), (DEFAULT, 10)):
            optimizer = Langevin(parameters(shapes), LR, **options)
            Thermometer(optimizer, every=every)
            logged[name] = optimizer.step
        logged = {name: ten(step) for name, step in logged.items()}
        yield from bench.compare(
            logged, EXACT, seconds=seconds, must={DEFAULT: "<= 1.10"}, aim={DEFAULT: "1.03"}, title=title
        )
        yield from (Row(f"{title}{name}", "fused SGD", None, note=why) for name, why in absent.items())


def parameters(shapes: list[tuple[int, ...]], device: torch.device | str = "cpu") -> list[Tensor]:
    made = [torch.randn(shape, device=device, requires_grad=True) for shape in shapes]
    for p in made:
        p.grad = torch.randn_like(p)
    return made


def ten(step: Callable[[], object]) -> Callable[[], None]:
    """Return ten steps: as many as there are between two measurements of a thermometer."""

    def run() -> None:
        for _ in range(10):
            step()

    return run


def plain_loop(params: list[Tensor]) -> Callable[[], None]:
    """Take the post's formula tensor by tensor, with fresh noise for each."""
    velocities = [torch.zeros_like(p) for p in params]
    std = math.sqrt(2 * DAMPING * LR * TEMPERATURE)

    @torch.no_grad()
    def step() -> None:
        for p, v in zip(params, velocities, strict=True):
            v.mul_(1 - DAMPING).add_(p.grad, alpha=-LR).add_(torch.randn_like(p), alpha=std)
            p.add_(v)

    return step


def peers(shapes: list[tuple[int, ...]]) -> tuple[dict[str, Callable[[], object]], dict[str, str]]:
    """Return a step of every peer that is installed, and why the others are not there."""
    found, absent = {}, {}
    for name, (module, make) in PEERS.items():
        try:
            with warnings.catch_warnings(action="ignore"):
                found[name] = make(importlib.import_module(module), parameters(shapes))
        except ImportError as error:
            absent[name] = f"skipped: {error}"
    return found, absent


def _posteriors(module, params: list[Tensor]) -> Callable[[], object]:
    """Its step computes the gradient itself; that of a linear function is the cheapest."""
    grads = {str(i): p.grad for i, p in enumerate(params)}
    values = {str(i): p.detach() for i, p in enumerate(params)}

    def log_posterior(params, batch):
        return sum((p * grads[name]).sum() for name, p in params.items()), torch.tensor([])

    transform = module.build(log_posterior, lr=LR, alpha=DAMPING, temperature=TEMPERATURE)
    state = transform.init(values)

    def step() -> None:
        transform.update(state, None, inplace=True)

    return step


PEERS = {
    "torch-uncertainty SGHMC": ("torch_uncertainty.optim.sghmc", lambda m, p: m.SGHMC(p, lr=LR).step),
    "torch-uncertainty SGLD": ("torch_uncertainty.optim.sgld", lambda m, p: m.SGLD(p, lr=LR).step),
    "devinterp SGLD": ("devinterp.optim.sgmcmc", lambda m, p: m.SGMCMC.sgld(p, lr=LR, nbeta=1.0).step),
    "posteriors sghmc, with its gradient": ("posteriors.sgmcmc.sghmc", _posteriors),
}
