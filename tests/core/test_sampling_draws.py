"""Draws: which steps give them, that a run resumes bit for bit, and that nothing gets in that is no number."""

import io
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from physnn import Chains, Langevin, Samples, posterior


def data(n=20):
    g = torch.Generator().manual_seed(0)
    return torch.randn(n, 4, generator=g), torch.randint(3, (n,), generator=g)


def make():
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def outputs(model):
    return {"outputs": model(data()[0])}


def running(several=True, **options):
    model = Chains.seeded(make, [1, 2, 3]) if several else make()
    optimizer = Langevin(model.parameters(), 0.05, damping=0.2, scheme="gjf", **posterior(20, 1.0),
                         generator=torch.Generator().manual_seed(7))  # fmt: skip
    return model, optimizer, Samples(model, **{"burn_in": 5, "thin": 3, "readout": outputs, **options})


def run(model, optimizer, samples, steps):
    x, y = data()
    for _ in range(steps):
        optimizer.zero_grad()
        if isinstance(model, Chains):
            model.losses(F.cross_entropy, x, y).sum().backward()
        else:
            F.cross_entropy(model(x), y).backward()
        optimizer.step()
        samples.step()


@pytest.mark.parametrize(("burn_in", "thin"), [(0, 1), (5, 3), (4, 1), (0, 7), (50, 1), (49, 1)])
def test_which_steps_give_a_draw(burn_in, thin):
    """By a model that counts: those at burn-in + thin, + 2 thin, ..., and no other."""
    model = nn.Linear(1, 1, bias=False)
    samples = Samples(model, burn_in=burn_in, thin=thin)
    taken = []
    for step in range(1, 51):
        with torch.no_grad():
            model.weight.fill_(step)
        taken += [step] if samples.step() else []
    assert taken == [*range(burn_in + thin, 51, thin)] and len(samples) == len(taken) == max(0, (50 - burn_in) // thin)
    if taken:
        assert samples["weight"].flatten().tolist() == taken and samples["weight"].shape == (1, len(taken), 1, 1)


def test_shapes_are_chains_then_draws():
    run(*(several := running()), 14)
    samples, draws = several[2], several[2].draws()
    assert len(samples) == 3
    assert {name: tuple(value.shape) for name, value in draws.items()} == {
        "network.0.weight": (3, 3, 6, 4), "network.0.bias": (3, 3, 6), "network.2.weight": (3, 3, 3, 6),
        "network.2.bias": (3, 3, 3), "outputs": (3, 3, 20, 3),
    }  # fmt: skip
    run(*(one := running(several=False)), 14)
    assert one[2]["outputs"].shape == (1, 3, 20, 3) and one[2]["0.weight"].shape == (1, 3, 6, 4)


@pytest.mark.parametrize("several", [True, False], ids=["chains", "one network"])
def test_predictions_are_the_readouts_of_their_draws(several):
    """Of the data of the readout they are the same; of a model that has moved on since, too."""
    run(*(all_three := running(several)), 14)
    samples = all_three[2]
    torch.testing.assert_close(samples.predict(data()[0]), samples["outputs"])
    assert samples.predict(torch.zeros(2, 4)).shape == (3 if several else 1, 3, 2, 3)
    model = all_three[0]
    torch.testing.assert_close(model.state_dict(), {name: p.detach() for name, p in model.named_parameters()})


def test_draws_are_copies_and_need_no_gradient():
    model, optimizer, samples = running()
    run(model, optimizer, samples, 8)
    before = samples["network.0.weight"].clone()
    run(model, optimizer, samples, 2)
    assert torch.equal(samples["network.0.weight"], before) and len(samples) == 1
    assert not any(value.requires_grad for value in samples.draws().values())
    samples["network.0.weight"].zero_()
    assert torch.equal(samples["network.0.weight"], before)


@pytest.mark.parametrize("stop", [2, 8, 13])
def test_a_run_resumes_bit_for_bit(stop):
    whole = running()
    run(*whole, 20)
    first = running()
    run(*first, stop)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in first], file)
    file.seek(0)
    second = running()
    run(*second, 9)  # what stood there before is replaced
    for part, state in zip(second, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    run(*second, 20 - stop)
    assert second[2].steps == 20 and len(second[2]) == 5
    for name, value in whole[2].draws().items():
        assert torch.equal(value, second[2][name]), name


def test_the_state_is_a_copy():
    several = running()
    run(*several, 11)
    state = several[2].state_dict()
    held = state["draws"]["outputs"].clone()
    run(*several, 6)
    assert torch.equal(state["draws"]["outputs"], held) and state["steps"] == 11
    other = running()[2]
    other.load_state_dict(state)
    state["draws"]["outputs"].zero_()
    assert torch.equal(other["outputs"].transpose(0, 1), held)


def test_what_is_not_finite_is_not_kept():
    model, optimizer, samples = running()
    run(model, optimizer, samples, 10)
    with torch.no_grad():
        model.network[2].weight[1, 0, 0] = math.nan
    with pytest.raises(FloatingPointError, match=r"network\.2\.weight of chain 1 is not finite at step 11"):
        samples.step()
    assert samples.steps == 10 and len(samples) == 1 and all(v.isfinite().all() for v in samples.draws().values())
    with torch.no_grad():
        model.network[2].weight[1, 0, 0] = 0.0
    assert samples.step() and len(samples) == 2


def test_a_readout_that_is_not_finite_is_not_kept():
    model = make()
    samples = Samples(model, burn_in=0, readout=lambda model: {"ratio": torch.tensor(math.inf)}, parameters=False)
    with pytest.raises(FloatingPointError, match="ratio is not finite at step 1"):
        samples.step()
    assert len(samples) == 0
    both = Samples(Chains([make(), make(), make()]), burn_in=0, readout=lambda model: {"a": torch.tensor([0, -math.inf,
                   math.nan])})  # fmt: skip
    with pytest.raises(FloatingPointError, match="a of chains 1, 2 is not finite"):
        both.step()
    assert len(both) == 0


def test_readouts_alone():
    model = Chains.seeded(make, range(2))
    samples = Samples(model, burn_in=0, parameters=False, readout=lambda m: {"top": m(data()[0]).argmax(-1)})
    samples.step()
    assert {*samples.draws()} == {"top"} and samples["top"].dtype == torch.int64
    with pytest.raises(ValueError, match="parameters=False kept no parameters"):
        samples.predict(data()[0])


def test_arviz_takes_the_draws():
    arviz = pytest.importorskip("arviz")
    several = running()
    run(*several, 26)
    draws = several[2].draws()
    given = arviz.from_dict({"posterior": draws}) if arviz.__version__ >= "1" else arviz.from_dict(posterior=draws)
    posterior_group = given["posterior"]
    assert dict(posterior_group.sizes)["chain"] == 3 and dict(posterior_group.sizes)["draw"] == 7
    assert (posterior_group["outputs"].values == draws["outputs"].numpy()).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"burn_in": -1}, "burn_in must be a whole number of steps, at least 0, got -1"),
        ({"burn_in": 1.5}, "burn_in must be a whole number of steps"),
        ({"thin": 0}, "thin must be a whole number of steps, at least 1, got 0"),
        ({"thin": True}, "thin must be a whole number of steps"),
        ({"readout": None, "parameters": False}, "there is nothing to keep"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(ValueError, match=said):
        running(**options)


def test_nothing_trained_is_nothing_to_keep():
    with pytest.raises(ValueError, match="there is nothing to keep"):
        Samples(make().requires_grad_(False), burn_in=0)


@pytest.mark.parametrize(
    ("readout", "kind", "said"),
    [
        (lambda m: {"network.0.bias": torch.zeros(3)}, ValueError, "is the name of a parameter"),
        (lambda m: {"a": torch.zeros(2)}, ValueError, "must have the first axis of the 3 chains, got shape"),
        (lambda m: {"a": torch.tensor(1.0)}, ValueError, "must have the first axis of the 3 chains"),
        (lambda m: {"a": [1, 2, 3]}, TypeError, "must give tensors by their names"),
    ],
)
def test_bad_readouts(readout, kind, said):
    samples = Samples(Chains.seeded(make, range(3)), burn_in=0, readout=readout)
    with pytest.raises(kind, match=said):
        samples.step()
    assert len(samples) == 0 and samples.steps == 0


def test_a_readout_that_changes_is_refused():
    given = iter([{"a": torch.zeros(3)}, {"a": torch.zeros(4)}, {"b": torch.zeros(3)}, {"a": torch.zeros(3).double()}])
    samples = Samples(make(), burn_in=0, readout=lambda m: next(given))
    samples.step()
    with pytest.raises(ValueError, match=r"of shape \(3,\), but this one is .* of shape \(4,\)"):
        samples.step()
    with pytest.raises(ValueError, match=r"there are draws of .*, but this one has"):
        samples.step()
    with pytest.raises(ValueError, match=r"but this one is torch\.float64"):
        samples.step()
    assert len(samples) == samples.steps == 1


def test_asking_before_there_is_a_draw():
    samples = running()[2]
    with pytest.raises(ValueError, match=r"no draw yet: 0 steps were counted.*burn_in \+ thin = 8"):
        samples.draws()
    with pytest.raises(KeyError, match="there are of nothing yet"):
        samples["outputs"]
    with pytest.raises(ValueError, match="no draw yet"):
        samples.predict(data()[0])
    samples.load_state_dict(samples.state_dict())  # of no draws
    assert len(samples) == 0


def test_states_that_do_not_fit():
    several = running()
    run(*several, 10)
    state = several[2].state_dict()
    with pytest.raises(ValueError, match="made with thin=3, and this has thin=2"):
        running(thin=2)[2].load_state_dict(state)
    with pytest.raises(ValueError, match="made with burn_in=5, and this has burn_in=0"):
        running(burn_in=0)[2].load_state_dict(state)
    with pytest.raises(ValueError, match="that of the state none"):
        running(several=False)[2].load_state_dict(state)
    two = Samples(Chains.seeded(make, range(2)), burn_in=5, thin=3)
    with pytest.raises(ValueError, match=r"has shape \(2, 6, 4\), but that of the state \(3, 6, 4\)"):
        two.load_state_dict(state)
    state["draws"]["outputs"][0, 0, 0, 0] = math.nan
    other = running()[2]
    with pytest.raises(ValueError, match="values of outputs that are not finite"):
        other.load_state_dict(state)
    assert len(other) == 0 and other.steps == 0
