"""The optimizer on a GPU, against fused SGD: the ratio of the times beside that of the bytes.

There a step is as long as its bytes are many, once the tensors are large. In words for each parameter, fused SGD with
momentum moves 5: it reads parameter, gradient and momentum, and writes parameter and momentum. Langevin dynamics has
to move the same, and 2 for noise that is written and read, unless the kernel of the update makes it; 2 for the last
step's noise of the scheme "gjf", read and written; and 1 for the look at the gradients before anything changes.
"""

import math
import warnings
from collections.abc import Callable, Iterator

import torch

from benchmarks.harness import Bench, Row
from benchmarks.optimizer import DAMPING, LR, MLP, SIZES, TEMPERATURE, parameters, plain_loop, ten
from physnn import Langevin, Thermometer
from physnn.fast.kernel import _kernel

LARGE = [(5000, 5000)] * 10
ROOM = 16 * 2**30  # bytes that the large size wants, with what it is held against
SGD = 5  # words
BYTE_SUM = {"noise": "byte-sum"}
COMPILED = {**BYTE_SUM, "compiled": True}
UNCHECKED = {"check_finite": False}
MAIN = ({}, UNCHECKED, {"noise": "two-point"}, BYTE_SUM, COMPILED, {**COMPILED, **UNCHECKED})
SCHEMES = tuple({"scheme": scheme, **more} for scheme in ("gjf", "baoa") for more in ({}, COMPILED))
SMALL = ({}, {"noise": "two-point"}, COMPILED)  # where the launches count, not the bytes
FORMS = ({"foreach": True}, {"foreach": False})
ALONE = {"the plain loop": 7, "torch's normal_ alone": 1, "torch's copy_ alone": 2}  # words
OPTIONS = {"damping": DAMPING, "temperature": TEMPERATURE}


def rows(bench: Bench) -> Iterator[Row]:
    yield from beside_sgd(bench, "1.07 M", MLP, SMALL, seconds=2)
    shapes = [(100, 100)] * 25 if bench.quick else SIZES["25 M"]
    yield from beside_sgd(bench, "25 M", shapes, (*MAIN, *SCHEMES, *FORMS), seconds=6)
    yield from thermometers(bench, shapes)
    if not bench.quick and torch.cuda.mem_get_info()[0] < ROOM:
        yield Row("optimizer, 250 M", "fused SGD", None, note=f"skipped: less than {ROOM / 2**30:.0f} GiB are free")
        return
    shapes = [(200, 200)] * 10 if bench.quick else LARGE
    for options in (*MAIN, *SCHEMES):  # one by one, that one's memory serves the next
        yield from beside_sgd(bench, "250 M", shapes, [options], seconds=1.5, alone=options == {})


def beside_sgd(bench: Bench, size: str, shapes: list, variants, *, seconds: float, alone: bool = True) -> list[Row]:
    def fresh() -> list[torch.Tensor]:
        return parameters(shapes, bench.device)

    runs = {"fused SGD": torch.optim.SGD(fresh(), LR, momentum=1 - DAMPING, fused=True).step}
    words, uncompiled = {}, set()
    if alone:
        flat, other = torch.empty(2, sum(map(math.prod, shapes)), device=bench.device)
        kinds = (plain_loop(fresh()), flat.normal_, lambda: other.copy_(flat))
        runs |= dict(zip(ALONE, kinds, strict=True))
        words |= ALONE
    for options in variants:
        given = ", ".join(f"{key}={value!r}" for key, value in options.items()).replace("'", '"')
        name = f"Langevin({given})" if given else "Langevin"
        runs[name] = Langevin(fresh(), LR, **OPTIONS, **options).step
        words[name] = words_of(**options)
        if options.get("compiled") and not has_kernel(bench, options.get("scheme", "post")):
            uncompiled.add(name)
    made = bench.compare(runs, "fused SGD", seconds=seconds)
    for row in made:
        row.bytes = words[row.name] / SGD
        row.aim = "1.15 by bytes" if row.name.startswith("Langevin") and size != "1.07 M" else ""
        if row.name in uncompiled:
            row.note = "there is no kernel: it ran uncompiled"
        row.name = f"optimizer, {size}: {row.name}"
    return made


def has_kernel(bench: Bench, scheme: str) -> bool:
    """Compile the kernel, if it is not there yet; the optimizer warns once if that fails, and its row says so."""
    with warnings.catch_warnings(action="ignore"):
        return _kernel(scheme, torch.float32, bench.device) is not None


def words_of(
    scheme: str = "post", noise: str = "normal", compiled: bool = False, check_finite: bool = True, **_
) -> int:
    """Return the words that a step has to move for each parameter."""
    return SGD + check_finite + 2 * (not compiled) + 2 * (scheme == "gjf")


def thermometers(bench: Bench, shapes: list) -> Iterator[Row]:
    runs: dict[str, Callable[[], object]] = {}
    for name, every in (("Langevin", 0), ("Thermometer(every=1)", 1), ("Thermometer()", 10)):
        optimizer = Langevin(parameters(shapes, bench.device), LR, **OPTIONS)
        if every:
            Thermometer(optimizer, every=every)
        runs[name] = ten(optimizer.step)
    yield from bench.compare(runs, "Langevin", seconds=2, title="optimizer, 25 M: ")
