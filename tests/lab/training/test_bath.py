"""The task of a bath that tells how sure it is: on digits, against the package's own optimizer, and what it refuses."""

import math

import pytest
import torch
import torch.nn.functional as F

from physnn import Chains, Langevin, log_predictive, posterior
from physnn.lab.metrics.predictive import variation
from physnn.lab.models.bayes import Even, read
from physnn.lab.training import truth
from physnn.lab.training.members import Members, member_seeds, points
from physnn.lab.training.task import Budget, Replica, column
from physnn.lab.training.tasks import bath

BASE = {"images": 100, "hidden": [8], "components": 16, "passes": 4}
CHAIN = {**BASE, "kind": "chain", "width": 1.0, "optimizer": "langevin", "damping": 0.1, "scheme": "gjf", "thin": 1,
         "members": 2, "whole": True}  # fmt: skip
ADAMW = {**BASE, "kind": "point", "optimizer": "adamw", "weight_decay": 0.01}
MAP = {**BASE, "kind": "point", "optimizer": "sgd", "momentum": 0.9, "width": 1.0}
ARMS = {
    "MAP": (MAP, 0.5),
    "AdamW": ({**ADAMW, "lr_schedule": "cosine"}, 0.05),
    "scaled": ({**ADAMW, "scaled": True}, 0.05),
    "average": ({**MAP, "kind": "average"}, 0.5),
    "Laplace": ({**BASE, "kind": "laplace", "optimizer": "adam", "width": 1.0}, 0.05),
    "ensemble": ({**ADAMW, "members": 3, "part": 0.5}, 0.05),
    "chain": (CHAIN, 1.0),
    "minibatches": ({**CHAIN, "whole": False, "cold": 0.1}, 0.3),
    "hmc": ({**BASE, "kind": "hmc", "width": 1.0, "members": 2, "leaps": 2, "whole": True}, 0.05),
}


def replica(name, seed=0, lr=None, **more):
    recipe, rate = ARMS[name]
    return Replica(name, {**recipe, **more}, lr or rate, seed)


def trained(replicas, epochs=2, **budget):
    recipes = [read(each.recipe) for each in replicas]
    return list(bath.run(replicas, recipes, Budget("digits", epochs, **{"batch_size": 25, "test": True, **budget})))


def members(recipe, lrs=(0.5,), seeds=(0,), epochs=1, **more):
    return Members([read(recipe)] * len(lrs), list(lrs), list(seeds), "digits", 25, epochs, **more)


@pytest.mark.parametrize("name", ARMS)
def test_a_replica_is_the_same_alone_and_among_others(name):
    rate = ARMS[name][1]
    several = trained([replica(name), replica(name, lr=rate / 2), replica(name, 1)])[-1]
    alone = trained([replica(name, 1)])[-1][0]
    for key, value in alone.items():
        if key != "seconds" and not math.isnan(value):
            assert several[2][key] == pytest.approx(value, rel=2e-3, abs=2e-3), key
    assert several[0]["validation_nll"] != several[1]["validation_nll"] != several[2]["validation_nll"]


@pytest.mark.parametrize("name", ARMS)
def test_every_column_is_explained_and_the_test_is_read_last(name):
    rows = [several[0] for several in trained([replica(name)])]
    assert all(column(bath, key) for key in rows[-1])
    assert {key for key in rows[0]} == {key for key in rows[1]} - {"heat", "heat_hottest"}
    new = {"test_nll", "test_ece", "corrupted_nll", "corrupted_accuracy_3", "scaled_test_nll"}
    assert new <= rows[-1].keys() and not new & rows[-2].keys()
    assert not {key for key in trained([replica(name)], test=False)[-1][0]} & new


def test_the_passes_of_all_members_are_counted():
    passes = {name: trained([replica(name)], test=False)[-1][0]["passes"] for name in ARMS}
    assert passes == {name: 8 for name in ARMS} | {"ensemble": 12, "chain": 16, "minibatches": 16, "hmc": 16}


def test_it_moves_as_the_packages_optimizer_does():
    """Two members, whole batches, T = 0 and the decay of the prior: bit for bit but for rounding."""
    several = members({**MAP, "whole": True, "members": 2})
    chains = Chains.seeded(lambda: read(MAP).make(16, 10), member_seeds(0, 2))
    options = {**posterior(100, 1.0), "temperature": 0.0}
    optimizer = Langevin(chains.parameters(), 0.5, damping=0.1, **options)
    for p, q in zip(several.engine.params, chains.parameters(), strict=True):
        assert torch.equal(p, q)
    several.epoch()
    for _ in range(4):
        optimizer.zero_grad()
        chains.losses(F.cross_entropy, several.x[0], several.y[0]).sum().backward()
        optimizer.step()
    for p, q in zip(several.engine.params, chains.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_the_prior_has_its_width_and_where_a_chain_starts():
    wide, narrow = (members({**CHAIN, "width": w, "hidden": [200]}) for w in (3.0, 0.5))
    for p, q in zip(wide.engine.params, narrow.engine.params, strict=True):
        torch.testing.assert_close(p, 6 * q)
    assert float(wide.engine.params[0].detach().std()) == pytest.approx(
        3, rel=0.05
    )  # 6,400 numbers: six standard errors
    update = wide.engine.update
    assert update.temperature.tolist() == [0.01] * 2 and update.decay.tolist() == pytest.approx([0.01 / 9] * 2)
    cold = members({**CHAIN, "cold": 0.1}).engine.update
    assert cold.temperature.tolist() == pytest.approx([0.001] * 2) and cold.decay.tolist() == pytest.approx([0.01] * 2)


def test_an_even_layer_has_outputs_of_the_size_of_its_inputs():
    torch.manual_seed(0)
    layer, x = Even(1000, 500), torch.randn(50, 1000)
    assert float(layer(x).detach().square().mean()) == pytest.approx(2, rel=0.05)  # of the weights 1, of the bias 1
    torch.testing.assert_close(layer(x), x @ layer.weight.T / 1000**0.5 + layer.bias)


def test_an_answer_is_the_mean_of_its_draws():
    """Of the probabilities of the label, which are kept of every draw and member."""
    several = members({**CHAIN, "burn": 0.5, "thin": 2}, lrs=(1.0, 1.0), seeds=(0, 1), epochs=2)
    several.epoch()
    assert several.draws == 0 and len(several.answers("validation")) == 2
    several.epoch()
    assert several.draws == len(several.tracks) == 2  # at passes 6 and 8 of 8
    labels = points("digits", 16, "validation")[1][:50]
    said = several.answers("validation")[:, :50].gather(-1, labels.expand(2, -1).unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(said.exp(), torch.stack(several.tracks).exp().mean((0, 2)))


def test_an_ensemble_is_the_mean_of_its_members():
    several = members({**ADAMW, "members": 3}, (0.05,))
    several.epoch()
    x, _ = points("digits", 16, "validation")
    torch.testing.assert_close(several.answers("validation")[0], log_predictive(several.engine.outputs(x[None])))
    assert not torch.equal(several.engine.params[0][0], several.engine.params[0][1])


def test_an_average_is_that_of_the_weights_after_each_pass(monkeypatch):
    several = members({**MAP, "kind": "average", "burn": 0.5, "passes": 6})
    seen, keep = [], several._keep
    monkeypatch.setattr(
        several, "_keep", lambda due: (seen.append([p.detach().clone() for p in several.engine.params]), keep(due))
    )
    several.epoch()
    x, _ = points("digits", 16, "validation")
    mean = [torch.stack(parts[3:]).mean(0) for parts in zip(*seen, strict=True)]
    ends = [p.detach().clone() for p in several.engine.params]
    said = several.answers("validation")[0]
    assert all(torch.equal(p, end) for p, end in zip(several.engine.params, ends, strict=True)), "put back"
    with torch.no_grad():
        for p, other in zip(several.engine.params, mean, strict=True):
            p.copy_(other)
    torch.testing.assert_close(said, several.engine.outputs(x[None])[0].log_softmax(-1))


def test_scaling_is_of_the_validation_images_and_of_the_answers():
    plain, scaled = (trained([replica(name, lr_schedule="constant")], epochs=6)[-1][0] for name in ("AdamW", "scaled"))
    assert scaled["validation_nll"] < plain["validation_nll"] and scaled["test_accuracy"] == plain["test_accuracy"]
    assert scaled["test_nll"] == pytest.approx(plain["scaled_test_nll"]) != pytest.approx(plain["test_nll"])
    assert scaled["factor"] == pytest.approx(plain["factor"])


def test_softened_by_the_best_factor_is_scaled():
    (plain,) = trained([replica("AdamW", lr_schedule="constant")], epochs=6)[-1]
    (soft,) = trained([replica("AdamW", lr_schedule="constant", softened=plain["factor"])], epochs=6)[-1]
    assert soft["test_nll"] == pytest.approx(plain["scaled_test_nll"]) != pytest.approx(plain["test_nll"])
    assert soft["factor"] == pytest.approx(1, abs=1e-3) and soft["test_accuracy"] == plain["test_accuracy"]
    (half,) = trained([replica("AdamW", lr_schedule="constant", softened=0.5)], epochs=6)[-1]
    assert half["factor"] == pytest.approx(2 * plain["factor"], rel=1e-3)
    assert half["corrupted_nll"] != pytest.approx(plain["corrupted_nll"])


@pytest.mark.parametrize("arm", ["chain", "MAP"])
def test_it_learns(arm):
    more = {"passes": 150, "images": 300, "thin": 5} if arm == "chain" else {"passes": 20, "images": 300}
    row = trained([replica(arm, lr=5.0 if arm == "chain" else 1.0, width=2.0, **more)], epochs=2, test=False)[-1][0]
    assert row["validation_accuracy"] > 0.85 and row["validation_nll"] < 0.8


def test_a_bath_has_the_posterior_of_a_convex_model_and_its_optimum_has_not():
    """Logistic regression against exact chains: a bath is as far as few draws leave it, an optimum twice as far."""
    common = {"hidden": [], "components": 8, "fixed": True, "whole": True, "members": 20, "images": 20,
              "width": 4.0}  # fmt: skip
    own = {"chain": {**CHAIN, **common, "passes": 300, "thin": 2, "damping": 0.05},
           "hmc": {**ARMS["hmc"][0], **common, "passes": 600, "leaps": 12},
           "MAP": {**MAP, **common, "passes": 300}}  # fmt: skip
    said = {}
    for name, lr in (("chain", 3.0), ("hmc", 0.2), ("MAP", 3.0)):
        several = members(own[name], (lr,))
        several.epoch()
        said[name] = several.answers("validation")
    near, far = (float(variation(said[name], said["hmc"])) for name in ("chain", "MAP"))
    assert near < 0.06 and far > 2 * near, (near, far)


def test_the_bath_has_the_temperature_that_is_set():
    """Readings of 20 steps of four chains of 226 weights, within five standard errors of T."""
    rows = trained([replica("chain", seed, passes=200, lr=2.0, members=4) for seed in range(2)], test=False)[-1]
    for row in rows:
        assert row["kinetic"] == pytest.approx(1, abs=5 * math.sqrt(2 / (226 * 4 * 20)))
        assert row["configurational"] == pytest.approx(1, abs=0.25)
        assert "heat" not in row  # whole batches have none


def test_heat_is_that_of_the_covariance_of_the_batches(monkeypatch):
    several = members({**CHAIN, "whole": False}, (0.3, 0.6), (0, 1))
    several.epoch()
    batches = several.batches()
    monkeypatch.setattr(several, "batches", lambda: batches)
    found = bath._thermal(several)
    grads = [several.engine.gradients(*batch)[1] for batch in batches]
    for r, lr in enumerate((0.3, 0.6)):
        means, hottest = [], []
        for network in (2 * r, 2 * r + 1):
            flat = torch.stack([torch.cat([g[network].flatten() for g in each]) for each in grads]).double()
            covariance = torch.cov(flat.T, correction=0)
            means.append(covariance.trace() / len(covariance))
            hottest.append(torch.linalg.eigvalsh(covariance)[-1])
        share = lr / (2 * 0.1 * 0.01)
        assert float(found["heat"][r]) == pytest.approx(share * float(sum(means)) / 2, rel=1e-4)
        assert float(found["heat_hottest"][r]) == pytest.approx(share * float(sum(hottest)) / 2, rel=1e-4)


def test_a_diverged_replica_disturbs_no_one():
    lost, kept = trained([replica("MAP", lr=1e6), replica("MAP")], epochs=3)[-1]
    alone = trained([replica("MAP")], epochs=3)[-1][0]
    assert lost is None and kept["test_nll"] == pytest.approx(alone["test_nll"], rel=1e-3)


def test_answers_are_held_against_long_chains(monkeypatch):
    """Short ones here: a chain is nearer to them than an optimum is, and as near as their halves, about."""
    monkeypatch.setattr(truth, "PROPOSALS", 60)
    monkeypatch.setattr(truth, "LEAPS", 20)
    truth.truth.cache_clear()
    more = {"fixed": True, "truth": [1.0, 0.15], "passes": 200}
    chain, optimum = (trained([replica(name, lr=3.0, **more)], epochs=1)[-1][0] for name in ("chain", "MAP"))
    truth.truth.cache_clear()
    assert chain["truth_variation"] < optimum["truth_variation"] and chain["truth_variation"] < 4 * chain["truth_floor"]
    assert chain["truth_nll"] == optimum["truth_nll"] and chain["truth_accepted"] > 0.5
    assert 0 < chain["truth_agreement"] <= 1


@pytest.mark.parametrize("name", ARMS)
def test_the_size_grows_with_the_network_and_its_members(name):
    recipe = read(ARMS[name][0])
    assert recipe.size == 16 * recipe.members * sum(p.numel() for p in recipe.make(16, 10).parameters())


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("MAP", {"kind": "guess"}, "kind must be one of"),
        ("MAP", {"images": 0}, "images must be a whole number"),
        ("MAP", {"hidden": 8}, "hidden must be a list"),
        ("MAP", {"members": 1.5}, "members must be a whole number"),
        ("MAP", {"part": 0.3}, "part must make a whole number of the 4 passes"),
        ("MAP", {"thin": 2}, "know no"),
        ("MAP", {"cold": 0.1}, "know no"),
        ("AdamW", {"softened": 0.0}, "softened must be above 0"),
        ("AdamW", {"softened": 0.5, "scaled": True}, "not for what is scaled"),
        ("MAP", {"width": 0.0}, "width must be above 0"),
        ("MAP", {"weight_decay": 0.1}, "is the weight decay"),
        ("AdamW", {"width": 1.0}, "not for adamw"),
        ("chain", {"width": None}, "needs the width of its prior"),
        ("chain", {"temperature": 0.1}, "cold over the number of images"),
        ("chain", {"optimizer": "adam", "damping": None}, "moved by langevin|know no"),
        ("chain", {"cold": 0.0}, "cold must be above 0"),
        ("chain", {"burn": 1.0}, "burn must be at least 0"),
        ("hmc", {"whole": False}, "needs whole batches"),
        ("hmc", {"leaps": 3}, "leaps must divide the 4 passes"),
        ("chain", {"truth": [1.0, 0.1]}, "the same for all seeds"),
        ("chain", {"truth": [1.0], "fixed": True}, "a width and a step"),
        ("chain", {"truth": [1.0, 0.0], "fixed": True}, "above 0"),
    ],
)
def test_bad_recipes(name, changed, said):
    given = {key: value for key, value in {**ARMS[name][0], **changed}.items() if value is not None}
    with pytest.raises(ValueError, match=said):
        read(given)


def test_no_extras():
    with pytest.raises(ValueError, match="bath knows no extras"):
        trained([replica("MAP")], extras=("answers",))
