"""What the chapter on reading the network writes down, against the code that its studies run."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.linalg import solve_discrete_lyapunov

from physnn.field import difference
from physnn.lab.physics.screening import green
from physnn.lab.records import rules
from physnn.lab.records.studies import Study
from physnn.lab.statistics import forewarning
from physnn.lab.training.tasks import response

ROOT = Path(__file__).resolve().parents[2]
STUDIES = {name: Study(name, ROOT / "results") for name in ("omens", "response", "heat")}
CLAIMS = {row["number"]: row for row in yaml.safe_load((ROOT / "book" / "claims.yml").read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", STUDIES)
def test_every_arm_is_read_by_its_task(name):
    study = STUDIES[name]
    for arm in study.arms:
        assert study.task.read(study.replica(arm, study.settings(arm)[0], 0).recipe).size > 0
    others = {name: {*each.design["tuning"]["seeds"]} for name, each in STUDIES.items()}
    assert not others["omens"] & others["response"] and not others["response"] & others["heat"]


def test_the_lengths_on_paper_are_those_of_the_designs():
    study = STUDIES["response"]
    on_paper = {arm: response.read(recipe).theory for arm, recipe in study.arms.items()}
    for arm, length in on_paper.items():
        if match := re.search(r"length (\d)", arm):
            assert length == int(match[1])
        elif "printed" in arm:
            assert length == pytest.approx(math.sqrt(0.5 / 0.0035))
        else:
            assert math.isnan(length)


@pytest.mark.parametrize("length", [0.5, 2.0, 12.0])
def test_a_pushed_ring_rests_where_the_equation_says(length):
    """eq-reading-energy in its minimum, for any y: 2 q2 (u - y) + 2 qs Dᵀ D u = h e_k; eq-reading-response."""
    rng, q2 = np.random.default_rng(0), 0.7
    d = difference(torch.eye(10, dtype=torch.float64), 0, "periodic").numpy()
    curvature, y, h, k = 2 * q2 * (np.eye(10) + length**2 * d.T @ d), rng.standard_normal(10), 0.3, 4
    rest = np.linalg.solve(curvature, 2 * q2 * y)
    moved = np.linalg.solve(curvature, 2 * q2 * y + h * np.eye(10)[k])
    np.testing.assert_allclose((moved - rest) / h, np.roll(green(10, length**2), k) / (2 * q2), atol=1e-12)


def test_at_rest_the_virial_is_the_square_of_the_velocity():
    """eq-reading-rest on a quadratic loss with noise of any covariance, by the discrete Lyapunov equation."""
    rng, alpha, gamma, n = np.random.default_rng(1), 0.1, 0.3, 4
    root, noise = rng.standard_normal((2, n, n))
    hessian, eye = root @ root.T + 0.1 * np.eye(n), np.eye(n)
    to_v = np.hstack([-alpha * hessian, (1 - gamma) * eye])
    step = np.vstack([np.hstack([eye, 0 * eye]) + to_v, to_v])
    kick = np.tile(noise @ noise.T, (2, 2))
    law = solve_discrete_lyapunov(step, kick)
    assert abs(np.linalg.eigvals(step)).max() < 1
    virial = alpha * np.trace(hessian @ law[:n, :n])
    assert virial == pytest.approx((1 - gamma / 2) * np.trace(law[n:, n:]), rel=1e-9)


@pytest.mark.parametrize("number", [11, 16])
def test_the_rules_exclude_each_other_and_name_arms_that_exist(number):
    rule = CLAIMS[number]["rule"]
    ways = {verdict: rules.alternatives(rule.get(verdict, ()), rule["effects"]) for verdict in rules.DECIDED}
    assert rules.overlap(ways) is None and all(ways.values())
    for effect in rule["effects"].values():
        study = STUDIES[effect["study"]]
        if "arm" in effect:
            assert effect["arm"] in study.arms and effect["column"] in study.task.COLUMNS
        else:
            assert {*effect["predictors"]} <= {*forewarning.PREDICTORS}
