"""The equations of the chapter on extensions, each by its label.

Statistical tests have fixed seeds and, for another seed, false alarms below 1e-4 each (4 standard errors).
"""

import math
import re
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml

from physnn import Langevin
from physnn.lab.metrics.coverage import counts, total_variation
from physnn.lab.models.bandits import Bandits
from physnn.lab.records.effects import Effect
from physnn.lab.records.rules import alternatives, overlap
from physnn.lab.records.studies import Study
from physnn.lab.records.verdicts import meets
from physnn.lab.statistics import stats
from physnn.lab.training.tasks.cartpole import advantages, surprise

ROOT = Path(__file__).resolve().parents[2]
STUDIES = {name: Study(name, ROOT / "results") for name in ("sampling", "bandits", "cartpole")}
RULE = yaml.safe_load((ROOT / "book" / "claims.yml").read_text(encoding="utf-8"))[16]["rule"]
MARGINS = {"s": 2, "b": 2, "c": 10}


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_eq_extensions_boltzmann(temperature):
    """On a tilted parabola, with small steps: mean and variance of exp(-U/T), by the known error of the step."""
    curvature, tilt, lr, damping, count = 2.0, 1.0, 0.02, 0.3, 20_000
    draws = torch.Generator().manual_seed(0)
    theta = torch.nn.Parameter(torch.zeros(count))
    optimizer = Langevin([theta], lr, damping=damping, temperature=temperature, generator=draws)
    for _ in range(400):
        theta.grad = curvature * theta.detach() + tilt
        optimizer.step()
    variance = temperature / curvature / (1 - lr * curvature / (2 * (2 - damping)))
    assert theta.mean().item() == pytest.approx(-tilt / curvature, abs=4 * math.sqrt(variance / count))
    assert theta.var().item() == pytest.approx(variance, rel=4 * math.sqrt(2 / count))


def test_eq_extensions_tv():
    one, two = counts(torch.tensor([[0, 0, 1, 2], [3, 3, 1, 0]]), 4)
    assert total_variation(one, two).item() == pytest.approx((abs(2 - 1) + abs(1 - 1) + 1 + 2) / 4 / 2)


def test_eq_extensions_thompson():
    """The gradient of L over T is that of U, whatever n is: the law that is sampled is the posterior."""
    bandits = Bandits([0], "logistic", 2, 3, 2, 5)
    for _ in range(5):
        bandits.pull(torch.zeros(1, 2, dtype=torch.long))
    theta, n = torch.ones(1, 2, 2), bandits.taken
    assert n == 5 == bandits.pulls.sum() / 2
    torch.testing.assert_close((bandits.slope(theta) / n) / (1 / n), bandits.slope(theta))


def test_eq_extensions_policy():
    """Three episodes of one, two and three steps, term by term."""
    alive = torch.tensor([[1, 1, 1], [0, 1, 1], [0, 0, 1]]).bool()[:, None]
    returns = torch.tensor([[1, 1.99, 1 + 0.99 * 1.99], [0, 1, 1.99], [0, 0, 1]])
    gain = (returns - (returns.sum(1, keepdim=True) - returns) / 2) * alive[:, 0]
    weights = advantages(alive)[:, 0]
    torch.testing.assert_close(weights / weights[0, 0], gain / gain[0, 0])
    logits = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    right = torch.tensor([0, 1, 0, 1, 1, 0, 0, 1, 1])
    sides = torch.stack([weights.flatten() * (right == 0), weights.flatten() * (right == 1)], -1) / 6
    logs = logits.log_softmax(-1).gather(1, right[:, None])[:, 0]
    assert surprise(logits, sides).item() == pytest.approx(-(weights.flatten() * logs).sum().item() / 6, rel=1e-5)


@pytest.mark.parametrize("name", STUDIES)
def test_every_arm_is_read_by_its_task(name):
    study = STUDIES[name]
    for arm in study.arms:
        assert study.task.read(study.replica(arm, study.settings(arm)[0], 0).recipe).size > 0
    seeds = [seed for each in STUDIES.values() for seed in each.design["final"]["seeds"]]
    assert len({*seeds}) == 60 and not {*seeds} & {*study.design["tuning"]["seeds"]}


def test_the_predictions_are_those_of_the_designs():
    designs = "".join((ROOT / "results" / name / "design.yml").read_text(encoding="utf-8") for name in STUDIES)
    numbered = [int(number) for number in re.findall(r"^# (\d+)\. ", designs, re.MULTILINE)]
    text = (ROOT / "notebooks" / "extensions.md").read_text(encoding="utf-8")
    told = [int(line.split("|")[1]) for line in text.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert numbered == told == [*range(1, 20)]


def test_the_rule_counts_fields():
    """All ways in which each of the six differences is beyond its margin, below it, or cannot be told from it."""
    ways = {verdict: alternatives(RULE[verdict], RULE["effects"]) for verdict in ("holds", "part", "fails")}
    assert overlap(ways) is None
    names = [f"{field}-{rival}" for field in MARGINS for rival in ("cold", "usual")]
    for states in product(("beyond", "below", "open"), repeat=6):
        effects = {}
        for name, state in zip(names, states, strict=True):
            margin = MARGINS[name[0]]
            mean = {"beyond": 2 * margin, "below": 0, "open": margin - 0.1}[state]
            effects[name] = Effect(stats.Interval(mean, mean - 0.5 * margin, mean + 0.5 * margin, 20))
        met = [
            verdict
            for verdict, several in ways.items()
            if any(all(meets(effects[each.name], each) for each in needed) for needed in several)
        ]
        counted = [set(pair) == {"beyond"} for pair in zip(states[::2], states[1::2], strict=True)]
        short = ["below" in pair for pair in zip(states[::2], states[1::2], strict=True)]
        expected = ["holds"] * all(counted) + ["part"] * (any(counted) and any(short)) + ["fails"] * all(short)
        assert met == expected
