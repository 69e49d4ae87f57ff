"""The equations of the chapter on a heat bath, each by its label, and the words that its designs fixed."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from scipy import linalg, stats
from scipy.integrate import quad

from book.tools import pairs
from physnn import Langevin, Thermometer, log_predictive, posterior
from physnn.lab.metrics.predictive import variation
from physnn.lab.models.bayes import read
from physnn.lab.models.laplace import precision
from physnn.lab.records.edges import at_edge
from physnn.lab.records.finals import final_rows
from physnn.lab.records.studies import Study
from physnn.lab.statistics.stats import Interval, paired_difference
from physnn.lab.training import truth
from physnn.lab.training.hmc import Hamiltonian

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = ROOT / "notebooks" / "heat-bath.md"
DESIGNS = {  # and how many predictions each has
    "bath-truth": 10, "heat-bath": 13, "bath-rates": 5, "bath-truth-edges": 3, "heat-bath-edges": 3,
    "heat-bath-softened": 4,
}  # fmt: skip


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def logistic(theta, count=7):
    """Return the mean negative log-likelihood of a logistic regression, for each row of weights."""
    x, y = normal(count, 3, seed=1), (torch.arange(count) % 2).double()
    logits = theta @ x.T
    return F.binary_cross_entropy_with_logits(logits, y.expand_as(logits), reduction="none").mean(1)


@pytest.mark.parametrize("width", [0.5, 3.0])
def test_eq_bath_posterior(width):
    """The likelihood of all samples times the prior, against Boltzmann's law at T and the decay of the package."""
    theta = normal(50, 3, seed=2)
    options = posterior(7, width)
    log_posterior = -7 * logistic(theta) + torch.distributions.Normal(0.0, width).log_prob(theta).sum(1)
    potential = logistic(theta) + options["weight_decay"] * theta.square().sum(1) / 2
    rest = log_posterior + potential / options["temperature"]
    torch.testing.assert_close(rest, rest[:1].expand(50))
    assert options["temperature"] == 1 / 7 and options["weight_decay"] == pytest.approx(1 / (7 * width**2))


def test_eq_bath_predictive():
    """A mean over 40,000 draws against the integral, within five standard errors (false alarm: 6e-7)."""
    draws = 1 + 2 * normal(40_000, seed=3)
    shares = torch.sigmoid(draws)
    said = log_predictive(torch.stack([torch.zeros_like(draws), draws], 1)).exp()[1]
    whole, _ = quad(lambda z: stats.norm.pdf(z, 1, 2) / (1 + math.exp(-z)), -30, 30)
    assert float(said) == pytest.approx(float(shares.mean()))
    assert float(said) == pytest.approx(whole, abs=5 * float(shares.std()) / 200)


def test_eq_bath_mean():
    outputs, label = normal(6, 20, 4, seed=4), 2
    each = outputs.log_softmax(-1)[..., label]  # ln p of 6 draws for 20 inputs
    mean = log_predictive(outputs)[:, label]
    shares = (each - mean).exp() / 6
    torch.testing.assert_close(shares.sum(0), torch.ones(20, dtype=torch.float64))
    gain = (torch.tensor(1 / 6).double() / shares).log().mean(0)
    torch.testing.assert_close(-mean, (-each).mean(0) - gain)
    assert gain.min() > 0
    alike = outputs[:1].expand(6, 20, 4)
    torch.testing.assert_close(log_predictive(alike)[:, label], alike[0].log_softmax(-1)[:, label])


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_eq_bath_cold(share):
    """A power of the posterior; and as many samples more, under a narrower prior."""
    theta, options = normal(50, 3, seed=5), posterior(7, 2.0)
    potential = logistic(theta) + options["weight_decay"] * theta.square().sum(1) / 2
    cold = -potential / (share * options["temperature"])
    log_posterior = -7 * logistic(theta) - theta.square().sum(1) / (2 * 2.0**2)
    torch.testing.assert_close(cold, log_posterior / share)
    again = -7 / share * logistic(theta) - theta.square().sum(1) / (2 * (2.0 * math.sqrt(share)) ** 2)
    torch.testing.assert_close(cold, again)
    recipe = {"kind": "chain", "images": 7, "passes": 1, "width": 2.0, "whole": True, "optimizer": "langevin",
              "damping": 0.1, "scheme": "gjf", "cold": share}  # fmt: skip
    arm = read(recipe)
    assert arm.temperature == pytest.approx(share / 7) and arm.weight_decay == pytest.approx(options["weight_decay"])


def test_eq_bath_hmc():
    """The share of proposals that are taken, with leaps made by hand; within five standard errors (6e-7)."""
    k, step, leaps = 4000, 1.6, 3
    q = [normal(k, 1, seed=6)]
    chains = Hamiltonian(q, lambda: (q[0][:, 0].square() / 2, [q[0].clone()]), [step] * k, leaps,
                         [torch.Generator().manual_seed(i) for i in range(k)])  # fmt: skip
    takes = chains.propose().double()
    generator, rises = np.random.default_rng(0), []
    place, speed = generator.standard_normal(40 * k), generator.standard_normal(40 * k)
    h, start = step * (1 + 0.2 * generator.uniform(-1, 1, 40 * k)), (place**2 + speed**2) / 2
    for _ in range(leaps):
        speed = speed - h / 2 * place
        place = place + h * speed
        speed = speed - h / 2 * place
    rises = (place**2 + speed**2) / 2 - start
    expected = np.minimum(1, np.exp(-rises)).mean()
    assert 0.3 < expected < 0.95
    assert float(takes.mean()) == pytest.approx(expected, abs=5 * math.sqrt(expected * (1 - expected) / k))


def test_eq_bath_variation():
    p, q = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]), np.array([[0.5, 0.5, 0.0], [0.1, 0.1, 0.8]])
    moved = [max(0.7 - 0.5, 0) + max(0.1 - 0.0, 0), 0.0]  # what one has more than the other
    assert float(variation(torch.tensor(p).log(), torch.tensor(q).log())) == pytest.approx(np.mean(moved))


def test_eq_bath_thermometers():
    theta = torch.nn.Parameter(normal(5, seed=7))
    options = posterior(10, 2.0)
    optimizer = Langevin([theta], 0.3, damping=0.1, scheme="gjf", generator=torch.Generator().manual_seed(1), **options)
    gauge = Thermometer(optimizer, every=1)
    for _ in range(4):
        before = theta.detach().clone()
        theta.grad = theta.detach() ** 3  # of the loss |θ|⁴/4
        optimizer.step()
    reading = gauge.read()[0]
    v = optimizer.state[theta]["velocity"]
    assert float(reading["kinetic"]) == pytest.approx(float(v.square().sum()) / (0.3 * 5), rel=1e-6)
    virial = before @ (before**3 + options["weight_decay"] * before)
    assert float(reading["configurational"]) == pytest.approx(float(virial) / 5, rel=1e-6)


@pytest.mark.parametrize("scheme", ["post", "gjf"])
@pytest.mark.parametrize(("share", "grows"), [(0.98, False), (1.02, True)])
def test_eq_bath_stable(scheme, share, grows):
    bend, damping = 1.7, 0.05
    theta = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = Langevin([theta], share * 2 * (2 - damping) / bend, damping=damping, scheme=scheme, temperature=0.0)
    for _ in range(2000):
        theta.grad = bend * theta.detach()
        optimizer.step()
    assert (abs(float(theta.detach())) > 1) == grows


def test_eq_bath_heat():
    """On a flat parabola, by the stationary covariance of the update, in the mean and in the hottest direction."""
    alpha, gamma, temperature, bend = 0.2, 0.1, 0.05, 1e-4
    covariance = np.array([[3.0, 1.0], [1.0, 0.5]])
    heats = []
    for own in np.linalg.eigvalsh(covariance):
        move = np.array([[1 - alpha * bend, 1 - gamma], [-alpha * bend, 1 - gamma]])  # of (θ, v)
        noise = (2 * gamma * alpha * temperature + alpha**2 * own) * np.ones((2, 2))
        spread = linalg.solve_discrete_lyapunov(move, noise)[0, 0]
        heats.append(bend * spread / temperature - 1)
    mean = alpha * np.trace(covariance) / (2 * gamma * temperature * 2)
    assert np.mean(heats) == pytest.approx(mean, rel=1e-3)
    hottest = alpha * np.linalg.norm(covariance, 2) / (2 * gamma * temperature)
    assert max(heats) == pytest.approx(hottest, rel=1e-3)


def test_eq_bath_laplace():
    """The Hessian of the negative log posterior of a last layer, by differentiation."""
    h = torch.cat([normal(9, 3, seed=8), torch.ones(9, 1).double()], 1)
    weights, labels = normal(5, 4, seed=9), torch.arange(9) % 5

    def energy(flat):
        return F.cross_entropy(h @ flat.view(5, 4).T, labels, reduction="sum") + flat.square().sum() / (2 * 1.5**2)

    by_hand = torch.autograd.functional.hessian(energy, weights.flatten())
    torch.testing.assert_close(precision(h, h @ weights.T, 1.5), by_hand)


@pytest.fixture(scope="module")
def rules():
    """The cells of the chapter that say what its designs have fixed."""
    names = {"BATH": "", "ENSEMBLE": "", "ONCE": "", "SCALED": "", "COLD": ""}
    for cell in pairs.notebook(CHAPTER).cells:
        if cell.cell_type == "code" and re.search(r"^def said_of\(", cell.source, re.MULTILINE):
            exec(cell.source, names)
    return names


BELOW, ACROSS, ABOVE = (
    Interval((low + high) / 2, low, high, 20) for low, high in ((-0.3, -0.1), (-0.1, 0.1), (0.1, 0.3))
)


def test_what_is_said_of_a_contrast_is_what_the_design_fixed(rules):
    assert [rules["said_of"](gap) for gap in (BELOW, ACROSS, ABOVE)] == ["better", "not seen here", "worse"]


@pytest.mark.parametrize("d", [BELOW, ACROSS, ABOVE])
@pytest.mark.parametrize("a", [BELOW, ACROSS, ABOVE])
def test_the_sentence_is_the_design_s(rules, a, d):
    found = rules["sentence"](a, d)
    assert found.startswith("the posterior itself") == (a is BELOW)
    assert found.startswith("a bath helps") == (a is not BELOW and d is BELOW)
    assert found.startswith("five networks") == (BELOW not in (a, d))


@pytest.fixture(scope="module")
def tells():
    names = {}
    for cell in pairs.notebook(CHAPTER).cells:
        if cell.cell_type == "code" and re.search(r"^def tells\(", cell.source, re.MULTILINE):
            exec(cell.source, names)
    return names["tells"]


@pytest.mark.parametrize(
    ("several", "words"),
    [
        ([(BELOW, BELOW), (ABOVE, ABOVE)], "five networks made less sure do better at both"),
        ([(BELOW, ACROSS), (ABOVE, BELOW)], "this study does not tell"),
        ([(BELOW, ABOVE), (ABOVE, BELOW)], "the bath's lead is more than being less sure"),
        ([(ACROSS, ACROSS), (ABOVE, ABOVE)], "this study does not tell"),
    ],
)
def test_what_is_said_of_softened_networks_is_what_the_design_fixed(tells, several, words):
    assert tells(several).startswith(words)


def test_the_text_has_every_prediction_of_its_designs():
    stated = re.findall(r"^\| (\d+) \|", CHAPTER.read_text("utf-8"), re.MULTILINE)
    assert [int(number) for number in stated] == [*range(1, sum(DESIGNS.values()) + 1)]
    for name, count in DESIGNS.items():
        text = (ROOT / "results" / name / "design.yml").read_text("utf-8")
        expected = text.split("before it ran")[-1]
        assert [int(n) for n in re.findall(r"^# +(\d+)\. ", expected, re.MULTILINE)] == [*range(1, count + 1)]


def design(name):
    return yaml.safe_load((ROOT / "results" / name / "design.yml").read_text("utf-8"))


def test_what_the_text_says_of_the_designs():
    """Sizes, chains and passes, which the text names without a cell."""
    near, main = design("bath-truth")["arms"], design("heat-bath")["arms"]
    sizes = {name: (arm["components"] if "components" in arm else 50, arm["hidden"][0]) for name, arm in
             (("near", near["bath"]), ("main", main["SGD"]))}  # fmt: skip
    weights = {name: (inputs + 1) * hidden + (hidden + 1) * 10 for name, (inputs, hidden) in sizes.items()}
    assert weights == {"near": 698, "main": 1840}
    assert near["bath"]["images"] == 500 and main["SGD"]["images"] == 4000
    assert near["bath"]["members"] == 4 and near["bath"]["passes"] * design("bath-truth")["final"]["epochs"] == 1000
    assert (2 * truth.CHAINS, truth.PROPOSALS) == (8, 300)
    passes = {
        name: read({k: 1.0 if v == "search" else v for k, v in arm.items() if k != "lr_unit"})
        for name, arm in main.items()
    }
    cost = {name: arm.each * arm.members * design("heat-bath")["final"]["epochs"] / 200 for name, arm in passes.items()}
    five = {name for name, times in cost.items() if times == 5}
    assert five == {name for name in main if name.endswith("fivefold")} and cost["bath, fifteenfold"] == 15
    assert {times for name, times in cost.items() if "fold" not in name} == {1}
    assert [passes[f"bath, {name}"].members for name in ("equal cost", "fivefold", "fifteenfold")] == [1, 2, 3]


def finals(name):
    return final_rows(Study(name))


def of(rows, arm, column):
    return rows[rows.arm == arm].set_index("seed")[column]


def less(rows, first, second, column):
    return paired_difference(of(rows, first, column), of(rows, second, column))


def test_what_the_text_says_of_the_truth():
    rows = finals("bath-truth")
    away = 100 * rows.groupby("arm").truth_variation.mean()
    right = ["bath", "bath, a fifth of the time", "bath, the post's scheme", "bath in minibatches", "hmc"]
    assert 100 * rows.truth_floor.iloc[0] < away[right].min()
    rest = away.drop(right)
    assert away[right].max() < rest.min() and set(rest.nlargest(2).index) == {"optimum", "optima of five"}
    mixed = rows.groupby("arm").rhat.mean()
    assert away[right].idxmin() == mixed[right].idxmin() == "bath, the post's scheme"
    assert away[right].idxmax() == mixed[right].idxmax() == "bath"
    assert mixed["cold bath, T/10"] < mixed["bath"], "and it is farther from the truth"
    for arm in ("bath, a fifth of the time", "bath in minibatches", "bath, the post's scheme", "hmc"):
        assert less(rows, arm, "bath", "truth_variation").high < 0
    nll = rows.groupby("arm").test_nll.mean()
    assert rows.truth_nll.iloc[0] > max(nll["optima of five"], nll["cold bath, T/10"])
    assert of(rows, "bath", "factor").min() > 1


def test_what_the_text_says_of_the_rates_of_the_bath():
    """The lowest and the highest were best, nearly the same, and the optima had the highest of theirs."""
    study = Study("bath-truth")
    scores, chosen = study.scores(study.table()), study.tuned(study.table()).lr
    tried = scores[scores.arm == "bath"].sort_values("lr").score.to_list()
    assert {*sorted(tried)[:2]} == {tried[0], tried[-1]} and abs(tried[0] - tried[-1]) < 1e-3
    assert set(at_edge(study).index) == {"bath"}
    for arm in ("optimum", "optima of five", "Laplace, last layer"):
        assert chosen[arm] == scores[scores.arm == arm].lr.max()


def test_what_the_text_says_of_clean_and_of_corrupted_images():
    rows = finals("heat-bath")
    nll, corrupted = rows.groupby("arm").test_nll.mean(), rows.groupby("arm").corrupted_nll.mean()
    baths = [arm for arm in nll.index if "bath" in arm]
    assert nll.idxmin() == "ensemble, fivefold" and nll["weight averaging"] < nll[baths].min()
    assert corrupted[baths].max() < corrupted.drop(baths).min()
    once = ["SGD", "AdamW", "temperature scaling", "weight averaging", "Laplace, last layer", "ensemble, equal cost"]
    assert nll[once].idxmin() == "weight averaging"
    ece, worse = rows.groupby("arm").test_ece.mean(), rows.groupby("arm").corrupted_ece.mean()
    assert ece[baths].min() > ece.drop(baths).max()
    warm = [arm for arm in baths if "cold" not in arm]
    assert worse[warm].max() < worse.drop(warm).min()
    gaps = [less(rows, "bath, fivefold", "ensemble, fivefold", f"corrupted_nll_{k}").mean for k in (1, 2, 3)]
    assert less(rows, "bath, fivefold", "ensemble, fivefold", "test_nll").mean > gaps[0] > 0 > gaps[1] > gaps[2]
    assert (of(rows, "bath, equal cost", "test_nll") > 0.37).sum() == 1 == (rows.test_nll > 0.37).sum()
    scaled = rows.groupby("arm").scaled_test_nll.mean()
    assert scaled.idxmin() == "bath, fifteenfold"
    assert less(rows, "bath, fifteenfold", "ensemble, fivefold", "scaled_test_nll").high < 0
    mini = less(rows, "bath in minibatches, fivefold", "ensemble, fivefold", "scaled_test_nll")
    assert mini.low < 0 < mini.high
    assert less(rows, "bath, fivefold", "ensemble, fivefold", "corrupted_accuracy").high < 0


def test_what_the_text_says_of_cold_baths():
    rows, five = finals("heat-bath"), ("cold bath, T/100, fivefold", "cold bath, T/10, fivefold", "bath, fivefold")
    assert less(rows, five[1], five[2], "test_nll").high < 0 < less(rows, five[1], "ensemble, fivefold", "test_nll").low
    for first, second, column in ((five[0], five[1], "test_nll"), (five[1], five[2], "corrupted_nll")):
        assert less(rows, first, second, column).low < 0 < less(rows, first, second, column).high
    assert less(rows, five[0], five[1], "corrupted_nll").low > 0


def test_what_the_text_says_of_the_temperatures():
    """In the tenth in which draws begin, in the last one, and of the worst run of the cold bath."""
    table = Study("heat-bath").table()
    table = table[table.phase == "final"]
    begin = table[table.epoch == 4].groupby("arm").kinetic.mean()
    late = ["bath, equal cost", "bath, fivefold", "cold bath, T/10, fivefold", "cold bath, T/100, fivefold"]
    assert (
        begin[late].min() > 1.4 and begin["bath, fifteenfold"] < 1.02 and begin["bath in minibatches, fivefold"] < 1.1
    )
    end = table[table.epoch == 10].groupby("arm").kinetic.mean()
    assert end["cold bath, T/100, fivefold"] > 1.2 and end.drop("cold bath, T/100, fivefold").max() < 1.1
    cold = table[(table.arm == "cold bath, T/10, fivefold")]
    assert (
        cold[cold.epoch == 10].set_index("seed").test_nll.idxmax()
        == cold[cold.epoch == 4].set_index("seed").kinetic.idxmax()
    )
    assert finals("heat-bath").groupby("arm").rhat.min().min() > 1.1


def test_what_the_text_says_of_given_rates():
    """Nearer and better mixed up to 15, hot at 40 with the lowest R-hat of all, and the schemes do not differ."""
    rows = finals("bath-rates").groupby("arm")[["truth_variation", "rhat", "kinetic", "validation_nll"]].mean()
    safe = ["rate 0.7", "rate 2", "rate 6", "rate 15"]
    for column in ("truth_variation", "rhat"):
        assert rows[column][safe].is_monotonic_decreasing
    assert rows.rhat.idxmin() == "rate 40" and rows.kinetic["rate 40"] > 200
    assert (rows.kinetic[safe] - 1).abs().max() < 0.01
    assert (
        rows.validation_nll[safe].max() - rows.validation_nll[safe].min() < 0.005 < rows.validation_nll["rate 40"] - 1
    )
    runs = finals("bath-rates")
    for rate in ("0.7", "6"):
        gap = less(runs, f"rate {rate}, the post's scheme", f"rate {rate}", "truth_variation")
        assert gap.low < 0 < gap.high


def test_what_the_text_says_of_wider_searches():
    near, far, first = finals("bath-truth-edges"), finals("heat-bath-edges"), finals("heat-bath")
    old = finals("bath-truth")
    for arm in ("bath", "optimum", "optima of five"):
        assert paired_difference(of(near, arm, "truth_variation"), of(old, arm, "truth_variation")).low > 0
    chosen = {name: Study(name).tuned(Study(name).table()).lr for name in ("bath-truth-edges", "bath-truth")}
    assert chosen["bath-truth-edges"]["bath"] < 1
    assert set(at_edge(Study("bath-truth-edges")).index) == {"optimum", "optima of five", "Laplace, last layer"}
    assert at_edge(Study("heat-bath-edges")).empty
    for arm in ("ensemble, equal cost", "bath in minibatches, fivefold"):
        assert paired_difference(of(far, arm, "test_nll"), of(first, arm, "test_nll")).high < 0


def test_what_the_text_says_of_softened_networks():
    """The ensemble at 0.7 is ahead of the bath at both, of that at fifteenfold cost at neither, nor in calibration."""
    soft, first = finals("heat-bath-softened"), finals("heat-bath")

    def ahead(arm, column, other):
        return paired_difference(of(soft, arm, column), of(first, other, column))

    for column in ("test_nll", "corrupted_nll"):
        assert ahead("softened 0.7", column, "bath, fivefold").high < 0
    assert ahead("softened 0.7", "test_nll", "bath, fifteenfold").low > 0
    gap = ahead("softened 0.7", "corrupted_nll", "bath, fifteenfold")
    assert gap.low < 0 < gap.high
    assert ahead("softened 0.7", "corrupted_ece", "bath, fivefold").low > 0
    plain = of(soft, "softened 0.7", "test_accuracy") - of(first, "ensemble, fivefold", "test_accuracy")
    assert plain.abs().max() < 1e-3, "the same five networks, but for rounding"
