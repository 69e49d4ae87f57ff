"""The equations of the chapter on a machine that makes pictures, each by its label, and the words of its design."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy.linalg import sqrtm
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist

from book.tools import pairs
from physnn.lab.metrics.generated import apart, frechet
from physnn.lab.models.maker import DT, STEPS, read
from physnn.lab.models.reversal import Pictures, fit, of_paths
from physnn.lab.physics.machine import Machine, action, heat, walk
from physnn.lab.physics.noising import Fade
from physnn.lab.records.edges import at_edge
from physnn.lab.records.finals import final_rows
from physnn.lab.records.studies import Study
from physnn.lab.statistics.crossed import crossed_interval
from physnn.lab.statistics.stats import Interval, mean_interval, paired_difference
from physnn.lab.training import making

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = ROOT / "notebooks" / "generation.md"
DESIGN = ROOT / "results" / "generation" / "design.yml"
FADE = Fade(30, 0.05, hold=0.3, gone=0.1)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some(units=4, quartic=0.3, seed=0):
    ties = normal(units, units, seed=seed) / 4
    ties = ties + ties.T
    quadratic, bias = normal(2, units, seed=seed + 1)
    return Machine(quadratic, quartic, bias, ties - torch.diag(ties.diagonal()))


def matrix(machine):
    return machine.couplings + 2 * torch.diag(machine.quadratic)


def test_eq_generation_energy():
    """The energy as sums over units and pairs, and a step as it is taken."""
    own, x, dt = some(), normal(5, 4, seed=3), 0.05
    expected = torch.zeros(5, dtype=torch.float64)
    for i in range(4):
        expected += own.quadratic[i] * x[:, i] ** 2 + own.quartic * x[:, i] ** 4 + own.bias[i] * x[:, i]
        for j in range(i):
            expected += own.couplings[i, j] * x[:, i] * x[:, j]
    torch.testing.assert_close(own.energy(x), expected)
    free = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(own.energy(free).sum(), free)
    kick = torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=x.dtype)
    moved, *_ = walk([own], x, 1, dt, torch.Generator().manual_seed(4))
    torch.testing.assert_close(moved, x - slope * dt + math.sqrt(2 * dt) * kick)


def test_eq_generation_fade():
    """The means and the width by the recursion, against a path that is the same but for its heat."""
    dt, v = FADE.dt, FADE.variance
    assert v == pytest.approx(2 / (2 - dt)) == pytest.approx((1 - dt) ** 2 * v + 2 * dt)
    left = [1.0]
    for centre in FADE.centres.tolist():
        left.append((1 - dt) * left[-1] + dt * centre)
    torch.testing.assert_close(FADE.means, torch.tensor(left, dtype=torch.float64))
    picture = normal(1, 3, seed=5)
    paths = [FADE.paths(factor * picture, torch.Generator().manual_seed(6)) for factor in (1.0, 3.0)]
    torch.testing.assert_close((paths[1] - paths[0]).squeeze(1), 2 * FADE.means[:, None] * picture)
    assert FADE.centres[0] == 1 and FADE.centres[-1] == 0


def test_eq_generation_back():
    """The way back is normal about a point that the joint law of two steps has, with the variance of a step."""
    dt, v, m, c = FADE.dt, FADE.variance, FADE.means, FADE.leads
    torch.testing.assert_close(c, (m[:-1] - (1 - dt) * m[1:]) / dt)
    covariance = torch.tensor([[v, (1 - dt) * v], [(1 - dt) * v, v]], dtype=torch.float64)  # of two steps
    assert covariance[1, 1] == pytest.approx(float((1 - dt) ** 2 * v + 2 * dt))
    gain = covariance[0, 1] / covariance[1, 1]
    assert float(covariance[0, 0] - gain * covariance[0, 1]) == pytest.approx(2 * dt)
    for k, x, p in ((3, 0.4, 1.7), (20, -2.0, 0.6)):
        expected = m[k - 1] * p + gain * (x - m[k] * p)
        assert x - dt * (x - float(c[k - 1]) * p) == pytest.approx(float(expected))


def test_eq_generation_action():
    """Minus the log density of the way back of whole paths, less what knows no machine."""
    own, path = some(3), FADE.paths(normal(7, 3, seed=7), torch.Generator().manual_seed(8))
    cost = action(own.slope(path[1:]), path[1:], path[:-1], FADE.dt).sum(0)
    law = torch.distributions.Normal(path[1:] - FADE.dt * own.slope(path[1:]), math.sqrt(2 * FADE.dt))
    exact = -law.log_prob(path[:-1]).sum((0, 2))
    torch.testing.assert_close(exact - cost, torch.full((7,), 30 * 1.5 * math.log(4 * math.pi * FADE.dt)).double())


@pytest.mark.parametrize("quartic", [0.0, 0.2])
def test_eq_generation_fit(quartic):
    """The fitted machine solves the equation, and the slope of the cost of the same paths is zero there."""
    path = FADE.paths(normal(50, 3, seed=9) + 0.5, torch.Generator().manual_seed(10))
    own = fit(of_paths(path, FADE.dt), quartic)
    x = path[1:].reshape(-1, 3)
    y = (path[1:] - path[:-1]).reshape(-1, 3) / FADE.dt - 4 * quartic * x**3
    away, wanted = x - x.mean(0), y - y.mean(0)
    spread, pulls, a = away.T @ away / len(x), wanted.T @ away / len(x), matrix(own)
    torch.testing.assert_close(a @ spread + spread @ a, pulls + pulls.T)
    torch.testing.assert_close(own.bias, y.mean(0) - a @ x.mean(0))
    free = [part.clone().requires_grad_() for part in (own.quadratic, own.bias, own.couplings)]
    slope = x * (2 * free[0] + 4 * quartic * x**2) + free[1] + x @ free[2]
    cost = action(slope, x, path[:-1].reshape(-1, 3), FADE.dt).sum()
    quadratic, bias, ties = torch.autograd.grad(cost, free)
    ties = (ties + ties.T).fill_diagonal_(0)
    assert max(part.abs().max().item() for part in (quadratic, bias, ties)) < 1e-8 * len(x)


def test_eq_generation_read():
    recipe = read({"model": "machine", "images": 3, "levels": "two", "against": "own", "made": 4, "amplitude": 5.0,
                   "hold": 0.3, "quartic": 0.1})  # fmt: skip
    given = normal(3, 64, seed=11).sign()
    (own,) = making.fitted(recipe, given.float())
    made, *_ = making.made_by([own], recipe, torch.Generator().manual_seed(12))
    start = recipe.fade.noise(4, 64, generator := torch.Generator().manual_seed(12))
    x, *_ = walk([own.to(torch.float32)], start, STEPS, DT, generator)
    torch.testing.assert_close(made, (x - own.to(torch.float32).slope(x)) / 5.0)


@pytest.mark.parametrize("units", [2, 4, 7])
@pytest.mark.parametrize("quartic", [0.0, 0.01])
def test_eq_generation_two(units, quartic):
    """The eigenvalues of the machine that is fitted to two opposite pictures."""
    s, v, m, c = 3.0, FADE.variance, FADE.means[1:], FADE.leads
    own = fit(Pictures.of(s * torch.tensor([[1.0] * units, [-1.0] * units])).faded(FADE), quartic)
    mc, two, four = (float(each.mean()) for each in (m * c, m**2, m**4))
    top = units * s**2 * mc + 4 * quartic * (
        3 * v**2 + 3 * (units + 1) * v * s**2 * two + units * s**4 * four
    )  # fmt: skip
    along, across = 1 - top / (v + units * s**2 * two), 1 - 12 * quartic * (v + s**2 * two)
    ones = torch.ones(units, dtype=torch.float64)
    torch.testing.assert_close(matrix(own) @ ones, along * ones)
    tilted = torch.tensor([1.0, -1.0] + [0.0] * (units - 2), dtype=torch.float64)
    torch.testing.assert_close(matrix(own) @ tilted, across * tilted)
    torch.testing.assert_close(2 * own.quadratic, (along + (units - 1) * across) / units * ones)
    assert own.bias.abs().max() < 1e-12


def test_eq_generation_together():
    """Where the energy along the pictures is least, and how deep it is there; no unit has two states by itself."""
    units, quartic = 4, 0.1 / 36
    fade = Fade(STEPS, DT, 0.3, 0.1)
    own = fit(Pictures.of(6 * torch.tensor([[1.0] * units, [-1.0] * units])).faded(fade), quartic)
    a = float(matrix(own)[0].sum())

    def along(z):
        return float(own.energy(torch.full((units,), z, dtype=torch.float64)))

    for z in (0.3, 2.0):
        assert along(z) == pytest.approx(units * (a / 2 * z**2 + quartic * z**4))
    least = minimize_scalar(along, bounds=(0.1, 20), method="bounded", options={"xatol": 1e-9})
    assert least.x**2 == pytest.approx(-a / (4 * quartic), rel=1e-5)
    assert -least.fun == pytest.approx(units * a**2 / (16 * quartic))
    assert a < 0 < own.quadratic.min()


def test_eq_generation_normal():
    """With the same kicks a walk without the quartic is affine in its start; its law's two numbers follow."""
    own, dt = some(3, 0.0), 0.05
    a = matrix(own)
    starts = [normal(6, 3, seed=13), normal(6, 3, seed=14)]
    ends = [walk([own], x, 1, dt, torch.Generator().manual_seed(15))[0] for x in starts]
    torch.testing.assert_close(ends[0] - ends[1], (starts[0] - starts[1]) @ (torch.eye(3) - dt * a))
    count = 40_000
    mean, root = torch.tensor([0.5, -1.0, 0.2], dtype=torch.float64), torch.diag(torch.tensor([1.0, 2.0, 0.5])).double()
    x, *_ = walk([own], mean + normal(count, 3, seed=16) @ root, 1, dt, torch.Generator().manual_seed(17))
    wanted = (torch.eye(3) - dt * a) @ root @ root @ (torch.eye(3) - dt * a) + 2 * dt * torch.eye(3)
    error = (x.mean(0) - (mean - dt * (a @ mean + own.bias))) / (wanted.diagonal() / count).sqrt()
    assert error.abs().max() < 4.5  # three means: false alarm 2e-5
    scaled = torch.linalg.solve_triangular(torch.linalg.cholesky(wanted), (x - x.mean(0)).T, upper=False)
    off = scaled @ scaled.T / count - torch.eye(3)
    assert off.abs().max() < 4.5 * math.sqrt(2 / count)  # six entries: false alarm 4e-5


def test_eq_generation_distances():
    made, given = normal(40, 3, seed=18).numpy(), normal(50, 3, seed=19).numpy() @ np.diag([1.0, 2.0, 0.5]) + 0.3
    first, second = np.cov(made.T), np.cov(given.T)
    expected = ((made.mean(0) - given.mean(0)) ** 2).sum() + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet(torch.from_numpy(made), torch.from_numpy(given)) == pytest.approx(expected)
    own, theirs = (cdist(x, x).sum() / (len(x) * (len(x) - 1)) for x in (made, given))
    share = 1 - (own + theirs) / (2 * cdist(made, given).mean())
    assert apart(torch.from_numpy(made), torch.from_numpy(given)) == pytest.approx(share)


def test_eq_generation_heat():
    own, x, moved, dt = some(), normal(9, 4, seed=20), normal(9, 4, seed=21), 0.07
    forth, back = (
        torch.distributions.Normal(a - dt * own.slope(a), math.sqrt(2 * dt)).log_prob(b).sum(1)
        for a, b in ((x, moved), (moved, x))
    )
    torch.testing.assert_close(heat(own, x, moved, dt), forth - back)
    here, there = own.slope(x), own.slope(moved)
    along = ((x - moved) * (here + there)).sum(1) / 2 + dt / 4 * (there.square() - here.square()).sum(1)
    torch.testing.assert_close(heat(own, x, moved, dt), along)
    near = x + 1e-4 * normal(9, 4, seed=22)
    torch.testing.assert_close(heat(own, x, near, 0.0), own.energy(x) - own.energy(near), rtol=1e-5, atol=1e-9)


def test_eq_generation_irreversible():
    """Of one fine path, to 2 % of the whole: both sides, the second with the terms that the heats leave out."""
    fade = Fade(100_000, 1e-4, 0.3, 0.1)
    own, picture = some(2, 0.05), 2 * normal(1, 2, seed=23)
    path = fade.paths(picture, torch.Generator().manual_seed(24))
    x, moved, dt = path[:-1], path[1:], fade.dt
    centres = fade.centres[:, None, None] * picture
    trap, back = x - centres, own.slope(moved)
    ratio = (action(back, moved, x, dt) - action(trap, x, moved, dt)).sum()
    heats = (heat(own, x, moved, dt) + ((x - moved) * (trap + moved - centres)).sum(-1) / 2).sum()
    curved = (2 * own.quadratic + 12 * own.quartic * moved.square()).sum(-1)
    rest = (back.square().sum(-1) / 4 - trap.square().sum(-1) / 4 - curved / 2 + 2 / 2).sum() * dt
    assert abs(float(rest)) > 0.2 * abs(float(ratio))
    assert abs(float(ratio - heats / 2 - rest)) < 0.02 * (abs(float(ratio)) + abs(float(rest)))


@pytest.fixture(scope="module")
def rules():
    """The cells of the chapter that say what its design has fixed."""
    cells = [cell.source for cell in pairs.notebook(CHAPTER).cells if cell.cell_type == "code"]
    names = {"FEW": "3 pictures", "GRAY": "gray"}
    for cell in cells:
        if re.search(r"^def (said|sentence)\(", cell, re.MULTILINE):
            exec(cell, names)
    return names


@pytest.mark.parametrize(
    ("low", "high", "p", "words"),
    [
        (-0.3, -0.1, 0.01, "nearer, by 0.20"),
        (-0.3, -0.1, 0.06, "not seen here"),
        (0.1, 0.3, 0.01, "further away, by 0.20"),
        (0.1, 0.3, 0.2, "not seen here"),
        (-0.1, 0.3, 0.01, "not seen here"),
    ],
)
def test_what_is_said_of_a_contrast_is_what_the_design_fixed(rules, low, high, p, words):
    assert rules["said"](Interval((low + high) / 2, low, high, 10), p) == words


def test_the_sentence_is_the_design_s(rules):
    """For all that can come out of the four contrasts that it hangs on."""
    places = [(kind, letter) for kind in ("3 pictures", "gray") for letter in "ab"]
    for bits in range(16):
        nearer = {place: bool(bits >> i & 1) for i, place in enumerate(places)}
        found, few, gray = rules["sentence"](nearer), nearer["3 pictures", "a"], nearer["gray", "a"]
        assert found.startswith("the quartic well keeps a few pictures") == (few and not gray)
        assert (found == "it makes digits that a normal law cannot") == all(nearer.values())
        assert (found == "nothing that the design has words for") == (not few or (gray and not all(nearer.values())))


def test_the_text_has_every_prediction_of_its_designs():
    stated = re.findall(r"^\| (\d+) \|", CHAPTER.read_text("utf-8"), re.MULTILINE)
    counts = []
    for name in ("generation", "generation-draws", "generation-bounded", "generation-edges", "generation-draws-edges"):
        text = (ROOT / "results" / name / "design.yml").read_text("utf-8").split("before it ran")[-1]
        counts.append(len(found := re.findall(r"^# (\d+)\. ", text, re.MULTILINE)))
        assert [int(number) for number in found] == [*range(1, counts[-1] + 1)]
    assert counts == [16, 3, 3, 4, 2] and [int(number) for number in stated] == [*range(1, 29)]


def test_the_arms_of_the_table_have_the_numbers_that_it_says():
    design = yaml.safe_load(DESIGN.read_text("utf-8"))
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([\d,]+) \|$", CHAPTER.read_text("utf-8"), re.MULTILINE)
    shown = {arm: int(number.replace(",", "")) for arm, number in rows}
    assert list(shown) == list(design["arms"])
    for arm, recipe in design["arms"].items():
        given = {name: 0.1 if value == "search" else value for name, value in recipe.items() if name != "lr_unit"}
        assert read({"images": 10, "levels": "gray", **given}).size == shown[arm], arm


@pytest.fixture(scope="module")
def study():
    return Study("generation")


@pytest.fixture(scope="module")
def runs(study):
    """The final runs, by kind of pictures and arm, and by seed."""
    rows = final_rows(study)
    return {tuple(arm.split(": ", 1)): some.set_index("seed") for arm, some in rows.groupby("arm")}


def less(runs, kind, first, second, column="seen_apart"):
    return paired_difference(runs[kind, first][column], runs[kind, second][column])


KINDS = ("3 pictures", "10 pictures", "two levels", "gray")


def test_what_the_text_says_of_three_pictures(runs):
    few = {arm: rows.seen_apart.mean() for (kind, arm), rows in runs.items() if kind == "3 pictures"}
    assert less(runs, "3 pictures", "machine", "J4 = 0").high < 0
    assert less(runs, "3 pictures", "machine", "diffusion, no clock").low > 0  # which is nearer
    assert {arm for arm in few if few[arm] < few["machine, stages"]} == {"diffusion, large", "diffusion, no clock"}
    assert few["diffusion"] > 1000 and (runs["3 pictures", "diffusion"].seen_apart < few["machine"]).any()
    assert not less(runs, "3 pictures", "machine", "pixel curves").high < 0
    assert abs(less(runs, "3 pictures", "machine", "pixel curves").mean) < 0.25 * few["machine"]  # about as near
    for arm in ("RBM", "RBM, large"):  # copies in wrong shares
        assert runs["3 pictures", arm].near.mean() < 0.1 and few[arm] > few["machine"]


def test_what_the_text_says_of_ten_pictures(runs):
    found = less(runs, "10 pictures", "machine", "J4 = 0")
    assert found.low < 0 < found.high and abs(found.mean) < 1
    assert less(runs, "10 pictures", "diffusion, large", "machine").high < 0


def test_what_the_text_says_of_digits(runs):
    gray, two = ({arm: rows for (kind, arm), rows in runs.items() if kind == of} for of in ("gray", "two levels"))
    seen = less(runs, "gray", "machine", "J4 = 0")
    assert seen.low < 0 < seen.high and less(runs, "two levels", "machine", "J4 = 0").low > 0
    assert (
        less(runs, "gray", "machine", "J4 = 0", "apart").low > 0 and less(runs, "gray", "machine", "normal law").low > 0
    )
    for kind in (gray, two):
        assert min(kind, key=lambda arm: kind[arm].seen_apart.mean()) == "pixel curves"
    assert less(runs, "gray", "machine", "RBM").high < 0 and less(runs, "gray", "machine", "diffusion").high < 0
    assert less(runs, "gray", "diffusion, no clock", "diffusion").high < 0
    assert two["machine"].double.mean() > 0.2


def test_what_the_text_says_of_states_that_run_away(runs):
    distances = {key: rows.seen_apart for key, rows in runs.items()}
    lost = {key for key, each in distances.items() if each.max() > 1000 or each.max() > 10 * each.median()}
    assert {arm for _, arm in lost} == {"diffusion", "diffusion, no clock", "diffusion, large"} and len(lost) == 5
    assert distances["gray", "diffusion, large"].median() < 30 < distances["gray", "diffusion, large"].max()


def test_what_the_text_says_of_heat_and_copies(runs):
    for kind in KINDS:
        rows = runs[kind, "machine"]
        assert abs(rows.heat.mean() - rows.fallen.mean()) < 0.03 * rows.fallen.mean()
        assert rows.half_heats.mean() < rows.irreversible.mean() / 2
    assert runs["3 pictures", "machine"].near.mean() < runs["3 pictures", "J4 = 0"].near.mean()
    assert runs["gray", "machine"].near.mean() > 0.8
    assert runs["3 pictures", "machine"].double.mean() < 0.1


def test_what_the_text_says_of_the_search(study):
    scores = study.scores(study.table()).groupby("arm").score
    best = scores.min()
    few, gray = (scores.get_group(f"{kind}: machine") for kind in ("3 pictures", "gray"))
    assert (few < best["3 pictures: J4 = 0"]).mean() > 0.5 and gray.min() > best["gray: J4 = 0"]
    chosen = at_edge(study)
    assert set(chosen.index) == set(Study("generation-edges").arms)


def test_what_the_text_says_of_other_searches(study):
    """At 3 pictures it outlasts the search. At gray each search has it, and all together hold zero."""
    rows = final_rows(Study("generation-draws")).set_index(["arm", "seed"])
    assert at_edge(Study("generation-draws")).shape[0] == 2

    def found(kind, column):
        searches = [f"{kind}, draw {draw}" for draw in (1, 2, 3)]
        return np.array([rows.loc[f"{s}: machine"][column] - rows.loc[f"{s}: J4 = 0"][column] for s in searches])

    few, gray = (found(kind, "seen_apart") for kind in ("3 pictures", "gray"))
    assert all(mean_interval(each).high < 0 for each in (*few, *gray)) and crossed_interval(few).high < 0
    assert gray.mean(axis=1).min() > -1  # by little
    for each in (gray, found("gray", "apart")):
        assert crossed_interval(each).low < 0 < crossed_interval(each).high


def test_what_the_text_says_of_bounds_and_of_wider_ranges(runs):
    bounded, beyond = (final_rows(Study(f"generation-{name}")) for name in ("bounded", "edges"))
    assert bounded.seen_apart.max() < 30
    means = bounded.groupby("arm").seen_apart.mean()
    assert means.min() > runs["gray", "diffusion"].seen_apart.mean()  # bounds alone bring neither near
    shape = {
        arm: rows.near.mean() for (kind, arm), rows in runs.items() if kind == "gray" and arm != "diffusion, large"
    }
    near = bounded.groupby("arm").near.mean()["gray: diffusion, large, bounded"]
    assert near < shape["RBM"] < 1.2 < 1.5 < shape["pixel curves"] < shape["normal law"]
    wider = beyond.groupby("arm").seen_apart.mean()
    assert wider["gray: RBM"] > 20 and wider["10 pictures: RBM"] < runs["10 pictures", "RBM"].seen_apart.mean() / 2
    assert wider["3 pictures: diffusion, no clock"] < runs["3 pictures", "diffusion, no clock"].seen_apart.mean()
    assert set(at_edge(Study("generation-edges")).shape) == {2, 5}
    chosen = Study("generation-edges").tuned(Study("generation-edges").table()).lr["10 pictures: RBM"]
    assert 0.01 < chosen < 1.0  # inside the first range, and below its choice
