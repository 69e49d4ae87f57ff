"""The page of the evidence: what it draws has the law it says, and what it names exists."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as laws

from book.tools import pairs
from physnn.lab.statistics.crossed import spread

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "evidence.md"


@pytest.fixture(scope="module")
def page():
    """The functions that the page defines, with what it imports."""
    space = {"rng": np.random.default_rng(0), "rounds": 20}
    for cell in pairs.notebook(SOURCE).cells:
        if cell.cell_type == "code" and "\nimport pandas" in cell.source:
            exec(cell.source.split("import numpy", 1)[1].join(["import numpy", ""]), space)
        elif cell.cell_type == "code" and cell.source.startswith("def "):
            exec(re.split(r"\n(?=\w)(?!def )", cell.source)[0], space)  # nothing that a cell does after its functions
    return space


@pytest.mark.parametrize("skewness", [0, 1, 2, 3])
def test_the_laws_have_mean_zero_and_the_skewness_that_is_said(page, skewness):
    values = page["draw"](skewness, 400_000)
    assert values.mean() == pytest.approx(0, abs=5 * values.std() / 400_000**0.5)
    assert laws.skew(values) == pytest.approx(skewness, abs=0.15)


def test_the_sizes_are_those_of_searches_runs_and_images(page):
    for axis, (sizes, n) in enumerate((((1, 0, 0), 5), ((0, 1, 0), 50), ((0, 0, 1), 100))):
        values = np.stack([page["study"](*sizes) for _ in range(400)]).mean(axis=(1, 2, 3))
        assert values.std() == pytest.approx(n**-0.5, rel=0.2), axis
    parts = spread(page["study"](0, 0, 1))
    assert max(parts.draws, parts.seeds) < 1e-12 < parts.images


def test_every_function_of_the_table_exists():
    rows = [line for line in SOURCE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    named = [name for row in rows for name in re.findall(r"`(\w+)\.(\w+)`", row)]
    assert len(named) >= 9
    for module, name in named:
        assert hasattr(importlib.import_module(f"physnn.lab.statistics.{module}"), name)
