"""The equations of the chapter on a network in a field, each by its label, and the words that its designs fixed."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from scipy.optimize import minimize_scalar

from book.tools import pairs
from physnn.lab.models.ordered import read
from physnn.lab.physics.conserved import collapse, conserved_energy, ordering, pinning
from physnn.lab.physics.simplex import wells
from physnn.lab.records.answered import answered
from physnn.lab.records.edges import at_edge
from physnn.lab.records.finals import final_rows
from physnn.lab.records.studies import Study
from physnn.lab.statistics.crossed import crossed_interval, spread
from physnn.lab.statistics.stats import Interval, mean_interval, paired_difference
from physnn.lab.training.field_engine import FieldEngine

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = ROOT / "notebooks" / "network-in-a-field.md"
DESIGNS = {  # and how many predictions each has
    "network-in-a-field": 12, "field-variants": 9, "phases": 6, "field-draws": 5, "field-handover": 5,
    "network-in-a-field-edges": 3, "field-variants-edges": 3,
}  # fmt: skip


def some(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).softmax(-1)


def step(n=6, seed=0):
    """Return the matrix of a step of a walk, symmetric with rows that sum to 1."""
    m = torch.rand(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    m = (m + m.T).fill_diagonal_(0)
    for _ in range(2000):  # rows and columns in turn, and it stays symmetric
        root = m.sum(1).sqrt()
        m = m / root[:, None] / root[None, :]
    return m


def test_eq_network_energy():
    """What a step of the studies adds up is the loss, with one neighbour of each image drawn by its weight."""
    recipe = read({"loss": "field", "labels": 1, "hidden": [4], "stiffness": 2.5, "depth": 0.7, "sizes": "known",
                   "conservation": 1.5, "optimizer": "adamw"})  # fmt: skip
    engine = FieldEngine([recipe.make(50, 4)], F.cross_entropy, lambda params: None)
    engine.recipes, engine.shares, engine.passed = [recipe], torch.tensor([0.1, 0.2, 0.3, 0.4]), 1.0
    outputs, y, weights = (
        torch.randn(1, 3 + 2 * 5, 4, generator=torch.Generator().manual_seed(1)),
        [0, 1, 3],
        some(5, 2),
    )
    labelled, here, there = outputs[0, :3], outputs[0, 3:8].softmax(1), outputs[0, 8:].softmax(1)
    expected = float(np.mean([-math.log(labelled[i].softmax(0)[c]) for i, c in enumerate(y)]))
    expected += 2.5 / 2 * float(np.mean([((a - b) ** 2).sum() for a, b in zip(here, there, strict=True)]))
    expected += 0.7 * float(np.mean([math.prod((1 - x) ** 2 for x in u.tolist()) for u in here]))
    expected += 1.5 * sum(s * math.log(s / m) for s, m in zip((0.1, 0.2, 0.3, 0.4), here.mean(0).tolist(), strict=True))
    assert float(engine.losses(outputs, torch.tensor([y]))) == pytest.approx(expected, rel=1e-5)
    # The mean over which neighbour is drawn is the sum over neighbours with their weights.
    neighbours, u = some(5, 2, 4, seed=2), some(5, 4, seed=3)
    whole = conserved_energy(u, neighbours, weights)
    drawn = sum(
        math.prod(float(weights[i, j]) for i, j in enumerate(which))
        * float(conserved_energy(u, neighbours[torch.arange(5), list(which), None], torch.ones(5, 1)))
        for which in itertools.product((0, 1), repeat=5)
    )
    assert drawn == pytest.approx(float(whole))


@pytest.mark.parametrize("time", [0.5, 4.0])
def test_eq_network_walk(time):
    m, reach = step(), 1 + time
    walked = sum((1 - 1 / reach) ** (n - 1) / reach * torch.linalg.matrix_power(m, n) for n in range(1, 400))
    diffused = m @ torch.linalg.inv(torch.eye(6) + time * (torch.eye(6) - m))
    torch.testing.assert_close(walked, diffused)
    lengths = [n * (1 - 1 / reach) ** (n - 1) / reach for n in range(1, 400)]
    assert sum(lengths) == pytest.approx(reach)


def test_eq_network_wells():
    corner, none = torch.eye(5, dtype=torch.float64), torch.zeros(1, 1)
    for share in (0.0, 0.3, 0.5, 1.0):
        u = torch.tensor([[share, 1 - share, 0.0]], dtype=torch.float64)
        assert float(wells(u)) == pytest.approx(share**2 * (1 - share) ** 2)
    for kind in ("wells", "entropy"):
        half = (corner[:1] + corner[1:2]) / 2
        assert float(conserved_energy(half, half[:, None], none, depth=1.0, sharpening=kind)) == pytest.approx(1 / 16)
        assert float(conserved_energy(corner, corner[:, None], torch.zeros(5, 1), depth=1.0, sharpening=kind)) == 0
    u = some(1, 5)
    height = conserved_energy(u, u[:, None], none, depth=1.0, sharpening="entropy")
    assert float(height) == pytest.approx(-float((u * u.log()).sum()) / (16 * math.log(2)))


def test_eq_network_shares():
    u, shares = some(7, 3).requires_grad_(), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    kept = conserved_energy(u, u[:, None].detach(), torch.ones(7, 1), stiffness=0.0, shares=shares, conservation=1.5)
    (slope,) = torch.autograd.grad(kept, u)
    torch.testing.assert_close(slope, (-1.5 / 7 * shares / u.mean(0)).detach().expand(7, 3))


def test_eq_network_ordering():
    """The wells' fall and the neighbours' rise, to second order; and what the right answers are as a mode."""
    classes, size, m = 6, 1e-3, step(12, seed=1)
    delta = torch.randn(12, classes, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    delta = delta - delta.mean(1, keepdim=True)
    u = 1 / classes + size * delta
    fallen = (1 - 1 / classes) ** (2 * classes) - wells(u)
    torch.testing.assert_close(fallen / size**2, ordering(classes) * delta.square().sum(1), rtol=0.02, atol=0)
    values, modes = torch.linalg.eigh(torch.eye(12) - m)
    u = 1 / classes + size * modes[:, 3:4] * delta[:1]
    risen = conserved_energy(u, u.expand(12, 12, classes), m, stiffness=2.5)
    mean = (u - 1 / classes).square().sum(1).mean()
    assert float(risen) == pytest.approx(float(2.5 * values[3] * mean))
    # With the right answers: classes of one size, and a share of the ties between them.
    answers = F.one_hot(torch.arange(12) // 4, 3).double()
    between = float((m * (answers @ answers.T == 0)).sum(1).mean())
    rest = answers - 1 / 3
    quotient = float((rest * ((torch.eye(12).double() - m) @ rest)).sum() / rest.square().sum())
    assert quotient == pytest.approx(2 * between / (2 - 2 / 3))


def test_eq_network_pinning():
    """The image's own well, and its ties counted from it and to it."""
    depth, stiffness, s = 3.0, 0.2, 0.8
    u = torch.tensor([[s, 1 - s], [0.0, 1.0]], dtype=torch.float64)  # it, and all its neighbours
    energy = 2 * conserved_energy(u, u.flip(0)[:, None], torch.ones(2, 1), stiffness=stiffness, depth=depth)
    assert float(energy) == pytest.approx(depth * s**2 * (1 - s) ** 2 + 2 * stiffness * s**2)
    places = np.linspace(0, 1, 100_001)
    left = (1 - places) * (2 * places - 1)
    assert places[left.argmax()] == pytest.approx(0.75) and left.max() / 2 == pytest.approx(pinning())
    product = 0.03
    at = minimize_scalar(lambda s: (s * (1 - s)) ** 2 + 2 * product * s**2, bounds=(0.75, 1), method="bounded").x
    assert (1 - at) * (2 * at - 1) == pytest.approx(2 * product, abs=1e-4)


def alike(p, classes, depth):
    """Return what a field costs that has p of one class everywhere: on the labels, and in the wells."""
    u = torch.tensor([[p, *[(1 - p) / (classes - 1)] * (classes - 1)]], dtype=torch.float64)
    return -float(u.log().mean()) + depth * float(wells(u))


@pytest.mark.parametrize("depth", [0.0, 3.0, 100.0])
def test_eq_network_collapse(depth):
    parts = ((0.01, 0.4), (0.4, 0.9), (0.9, 1 - 1e-9))
    least = min(minimize_scalar(alike, bounds=b, args=(10, depth), method="bounded").fun for b in parts)
    assert 0.08 * collapse(10, 0.08, depth) / 2 == pytest.approx(least, rel=1e-5)


@pytest.mark.parametrize("depth", [3.0, 100.0])
def test_eq_network_kept(depth):
    """What is kept counts as the labels do, less what no answer has; and the line, from the other, as on the page."""
    strength, shares = 3.0, torch.full((10,), 0.1, dtype=torch.float64)
    for p in (0.1, 0.4, 0.8):
        u = torch.tensor([[p, *[(1 - p) / 9] * 9]], dtype=torch.float64)
        kept = conserved_energy(u, u[:, None], torch.ones(1, 1), depth=depth, shares=shares, conservation=strength)
        labels = alike(p, 10, 0.0)
        whole = (1 + strength) * labels + depth * float(wells(u)) - strength * math.log(10)
        assert labels + float(kept) == pytest.approx(whole)
    parts = ((0.01, 0.4), (0.4, 0.9), (0.9, 1 - 1e-9))
    least = min(
        minimize_scalar(lambda p: (1 + strength) * alike(p, 10, depth / (1 + strength)), bounds=b, method="bounded").fun
        for b in parts
    ) - strength * math.log(10)  # fmt: skip
    line = (1 + strength) * collapse(10, 0.08, depth / (1 + strength)) - 2 * strength * math.log(10) / 0.08
    assert 0.08 * line / 2 == pytest.approx(least, rel=1e-5)
    none = math.log(10) + depth * (1 - 1 / 10) ** 20
    assert least == pytest.approx(none) if depth < 10 else least < none - 1


@pytest.fixture(scope="module")
def rules():
    """The cells of the chapter that say what its designs have fixed."""
    cells = [cell.source for cell in pairs.notebook(CHAPTER).cells if cell.cell_type == "code"]
    names = {"FOUR": "4 per class", "TEN": "10 per class"}
    for cell in cells:
        if re.search(r"^def (said|sentence)\(", cell, re.MULTILINE):
            exec(cell, names)
    return names


@pytest.mark.parametrize(
    ("letter", "low", "high", "words"),
    [
        ("a", 0.1, 0.3, "it helps, by 0.2 points"),
        ("b", -0.3, -0.1, "it does harm"),
        ("c", -0.1, 0.1, "not seen here"),
        ("d", -0.4, 0.4, "the same here"),
        ("d", 0.1, 0.4, "the same here"),
        ("d", 0.1, 0.6, "the quartic well is better"),
        ("d", -0.6, -0.1, "entropy is better"),
        ("d", -0.6, 0.1, "open"),
    ],
)
def test_what_is_said_of_a_contrast_is_what_the_design_fixed(rules, letter, low, high, words):
    assert rules["said"](letter, Interval((low + high) / 2, low, high, 10)).startswith(words)


def test_the_sentence_is_the_design_s(rules):
    """For all that can come out at 4 and 10 labels per class."""
    places = [(model, letter) for model in ("4 per class", "10 per class") for letter in "abc"]
    for outcome in itertools.product((False, True), repeat=6):
        above = dict(zip(places, outcome, strict=True))
        four, ten = all(outcome[:3]), all(outcome[3:])
        found = rules["sentence"](above)
        assert found.startswith("the repaired proposal beats") == (four and ten)
        assert (found == "at ten labels per class it is worth its cost") == (ten and not four)
        helps, not_more = above["10 per class", "a"], not above["10 per class", "c"]
        assert found.startswith("the field helps the network, and the graph by itself") == (helps and not_more)


def test_the_text_has_every_prediction_of_its_designs():
    stated = re.findall(r"^\| (\d+) \|", CHAPTER.read_text("utf-8"), re.MULTILINE)
    last = 2  # field-handover-edges and field-draws-edges have one each, without a number
    assert [int(number) for number in stated] == [*range(1, sum(DESIGNS.values()) + last + 1)]
    for name, count in DESIGNS.items():
        text = (ROOT / "results" / name / "design.yml").read_text("utf-8")
        expected = text.split("before it ran")[-1]
        assert [int(n) for n in re.findall(r"^# (\d+)\. ", expected, re.MULTILINE)] == [*range(1, count + 1)]


def test_the_arms_of_the_table_have_what_it_says():
    """Pairs on the graph, what sharpens, and whether the sizes are kept."""
    arms = yaml.safe_load((ROOT / "results/network-in-a-field/design.yml").read_text("utf-8"))["arms"]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", CHAPTER.read_text("utf-8"), re.MULTILINE)
    shown = {arm: (graph, sharp, sizes) for arm, graph, sharp, sizes in rows if arm in arms}
    assert set(shown) == set(arms)
    for arm, recipe in arms.items():
        if recipe["loss"] == "taught":
            assert shown[arm] == ("its labels", "cuts", "kept")
            continue
        sharp = recipe.get("sharpening", "wells") if recipe.get("depth") else "–"
        sizes = "kept" if recipe.get("sizes") == "known" else "–"
        assert shown[arm] == ("pairs" if recipe.get("stiffness") else "–", sharp, sizes)


def finals(name):
    """Return the test accuracies in percent of a study's final runs, by arm."""
    rows = final_rows(Study(name))
    return {arm: some.set_index("seed").percent for arm, some in rows.groupby("arm")}


def less(runs, model, first, second):
    return paired_difference(runs[f"{model}: {first}"], runs[f"{model}: {second}"])


def test_what_the_text_says_of_the_first_study():
    runs = finals("network-in-a-field")
    assert {len(values) for values in runs.values()} == {10}
    for model in ("1 per class", "4 per class", "10 per class"):
        assert all(less(runs, model, "all three", arm).low > 0 for arm in ("labels alone", "Dirichlet, conserved"))
        cross = runs[f"{model}: all three"] - runs[f"{model}: Dirichlet, conserved"]
        cross = cross - runs[f"{model}: Dirichlet, wells"] + runs[f"{model}: Dirichlet"]
        assert mean_interval(cross).low > 0
    taught = {model: less(runs, model, "all three", "taught by the graph") for model in ("1 per class", "10 per class")}
    assert taught["10 per class"].low < 0 < taught["10 per class"].high and taught["1 per class"].high < 0
    for arm in ("Dirichlet, wells", "Dirichlet, conserved"):
        assert less(runs, "10 per class", arm, "Dirichlet").low < 0


def test_all_three_have_the_same_trial_at_all_numbers_of_labels():
    study = Study("network-in-a-field")
    chosen = study.tuned(study.table()).filter(like=": all three", axis=0)
    assert len(chosen) == 4 and len(chosen.drop_duplicates()) == 1


def test_what_the_text_says_of_the_ways_to_train():
    runs, first = finals("field-variants"), finals("network-in-a-field")
    others = ("stiff first", "annealed T", "at once", "neighbours", "equal shares", "T = 0")
    for arm in others:
        assert less(runs, "1 per class", arm, "all three").low < 0 < less(runs, "1 per class", arm, "all three").high
    assert [arm for arm in others if less(runs, "10 per class", arm, "all three").low > 0] == ["equal shares"]
    assert not any(less(runs, "10 per class", arm, "all three").high < 0 for arm in others)
    printed = runs["10 per class: printed on the graph"]
    assert paired_difference(printed, first["10 per class: labels alone"]).high < 0


def test_what_the_text_says_of_the_phases():
    table = Study("phases").table()
    rows = table[(table.phase == "tuning") & (table.epoch == table.epoch.max())]
    means = rows.groupby(["arm", "stiffness", "depth"])[["largest", "order", "validation_accuracy"]].mean()
    mode = 2 * rows.mixed.mean() / (2 - 2 / 10)
    for stiffness in (10.0, 30.0, 100.0, 300.0):
        order, line = means.order.loc["conserved", stiffness], stiffness * mode / ordering(10)
        assert order[order.index < line / 4].max() < 0.5 < order[order.index > line].min()
    largest = means.largest
    assert largest.loc["conserved"].nlargest(2).index.to_list() == [(1000.0, 100.0), (300.0, 100.0)]
    assert largest.loc["free", 100.0, 10.0] > 0.99
    assert largest.loc["free", 10.0, 10.0] < 0.5 < largest.loc["free", 30.0, 10.0]
    assert largest.loc["free", 1000.0, 10.0] < 0.5 and means.order.loc["free", 1000.0, 10.0] < 0.02


def test_what_the_text_says_of_other_searches():
    """Of three more at ten labels per class (a) and (b) are above 0. (c) and (d) hold 0; (d) did not in the first."""
    study, first = Study("field-draws"), finals("network-in-a-field")
    at_ten = [i for i, name in enumerate(study.design["models"]) if name.startswith("10 per class")]
    runs = {arm: answered(study, arm)[at_ten].astype(int) for arm in study.design["arms"]}
    found = {arm: crossed_interval(runs["all three"] - runs[arm]) for arm in runs if arm != "all three"}
    assert min(found["labels alone"].low, found["Dirichlet, conserved"].low) > 0
    for arm in ("taught by the graph", "entropy for the wells"):
        assert found[arm].low < 0 < found[arm].high
    assert less(first, "10 per class", "all three", "entropy for the wells").low > 0
    sharper = runs["all three"] - runs["entropy for the wells"]
    assert sharper.mean(axis=(1, 2)).min() > 0
    source = spread(sharper)
    assert source.draws > source.seeds > source.images
    assert {arm.partition(": ")[0] for arm in at_edge(study).index} == {"4 per class, draw 1"}


def test_what_the_text_says_of_the_handover_and_of_wider_searches():
    runs, first = finals("field-handover"), finals("network-in-a-field")
    for model in ("4 per class", "10 per class"):
        assert less(runs, model, "taught, then all three", "taught by the graph").high < 0
    wider, tuned = finals("network-in-a-field-edges"), Study("network-in-a-field-edges")
    assert paired_difference(wider["10 per class: all three"], first["10 per class: all three"]).mean < 1
    depths = tuned.tuned(tuned.table()).depth
    assert depths[[arm for arm in depths.index if arm.endswith("all three")]].max() < 30
    layer = finals("field-variants-edges")["10 per class: the post's layer"]
    assert layer.mean() < 50
    again, once = finals("field-draws-edges"), finals("field-draws")
    for arm in again:
        assert paired_difference(again[arm], once[arm]).low < 0 < paired_difference(again[arm], once[arm]).high
        assert again[arm].mean() < once[arm].mean()
