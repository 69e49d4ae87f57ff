"""What the optimizer keeps: it fits the parameter or is refused by every path, and the noise travels with it."""

import copy
import io
import warnings

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

from physnn import Langevin

PATHS = {
    "default": {},
    "single": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "two-point": {"noise": "two-point"},
    "compiled": {"noise": "byte-sum", "compiled": True},
}
CASES = [(path, name) for path in PATHS for name in ("post", "gjf", "baoa") if (path, name) != ("fused", "baoa")]


def make(shape=(4, 3), dtype=torch.float32, **options):
    p = nn.Parameter(torch.ones(shape, dtype=dtype))
    options = {"damping": 0.3, "temperature": 0.2, "generator": torch.Generator().manual_seed(1), **options}
    return p, Langevin([p], 0.1, **options)


def step(p, optimizer, steps=1):
    for _ in range(steps):
        p.grad = p.detach().sin()
        optimizer.step()


def refuse(p, optimizer, *said):
    """Nothing moves, no noise is drawn, and the error says all that is asked for."""
    before, noise = p.detach().clone(), next(iter(optimizer.source.generators.values())).get_state()
    with pytest.raises(RuntimeError) as caught:
        optimizer.step()
    assert all(part in str(caught.value) for part in ("parameter 0 of group 0", *said)), caught.value
    assert torch.equal(p, before) and torch.equal(next(iter(optimizer.source.generators.values())).get_state(), noise)


@pytest.mark.parametrize(("path", "scheme"), CASES)
@pytest.mark.parametrize("shape", [(2, 3), (3, 4), (12,), (40, 3), (4, 3, 1)])
def test_a_velocity_of_another_shape_is_refused(path, scheme, shape):
    """Smaller, larger, and of another shape with as many numbers."""
    options = {"scheme": scheme, **PATHS[path]}
    other, saved = make(shape, **options)
    step(other, saved)
    p, optimizer = make(**options)
    optimizer.load_state_dict(saved.state_dict())
    p.grad = torch.ones_like(p)
    refuse(p, optimizer, f"shape {shape}", "shape (4, 3)", "load a state that fits")


@pytest.mark.parametrize(("path", "scheme"), CASES)
def test_a_state_of_another_type_or_device_is_refused(path, scheme):
    for name in ("velocity", "noise") if scheme == "gjf" else ("velocity",):
        for wrong in (
            torch.ones(4, 3, dtype=torch.float64),
            torch.ones(4, 3, device="meta"),
            torch.ones(4, 3).to_sparse(),
        ):
            p, optimizer = make(**{"scheme": scheme, **PATHS[path]})
            step(p, optimizer)
            optimizer.state[p][name] = wrong
            p.grad = torch.ones_like(p)
            refuse(p, optimizer, f"the {name} kept for", "load_state_dict(optimizer.state_dict())")


@pytest.mark.parametrize("path", PATHS)
def test_a_parameter_whose_data_were_replaced(path):
    p, optimizer = make(**PATHS[path])
    step(p, optimizer)
    p.grad = torch.ones_like(p)
    p.data = torch.ones(50, 3)
    refuse(p, optimizer, "the gradient of", "shape (4, 3)", "shape (50, 3)")
    p.grad = torch.ones_like(p)
    refuse(p, optimizer, "the velocity kept for", "shape (50, 3)")


@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_a_converted_model_says_what_to_do_and_that_works(scheme):
    p, optimizer = make(scheme=scheme)
    step(p, optimizer, 2)
    p.data = p.data.double()
    p.grad = p.detach().sin()
    refuse(p, optimizer, "torch.float32 of shape", "torch.float64", "makes the state follow it")
    v = optimizer.state[p]["velocity"].clone()
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.state[p]["velocity"].dtype == torch.float64
    assert torch.equal(optimizer.state[p]["velocity"], v.double())
    step(p, optimizer)


def test_a_velocity_that_shares_memory_within_itself():
    ends = []
    for velocity in (torch.full((1,), 0.5).expand(4, 3), torch.full((4, 3), 0.5)):
        p, optimizer = make(temperature=0.0)
        optimizer.state[p]["velocity"] = velocity
        step(p, optimizer, 2)
        ends.append(p.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (torch.ones(3, 2).to_sparse().requires_grad_(), "must be dense"),
        (torch.ones(2, dtype=torch.float8_e4m3fn), "got torch.float8_e4m3fn"),
        (torch.ones(2, dtype=torch.int32), "got torch.int32"),
    ],
)
def test_a_parameter_that_no_step_could_move(p, said):
    with pytest.raises(TypeError, match=said):
        Langevin([p], 0.1, damping=0.5)
    _, optimizer = make()
    with pytest.raises(TypeError, match=said):
        optimizer.add_param_group({"params": [p]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(("path", "scheme"), CASES)
def test_a_state_has_state_and_groups_alone(path, scheme):
    p, optimizer = make(**{"scheme": scheme, **PATHS[path]})
    for state in (optimizer.state_dict(), step(p, optimizer) or optimizer.state_dict()):
        assert set(state) == {"state", "param_groups"}
        assert "generator" in state["state"][0]


def network():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    options = {"lr": 0.1, "damping": 0.1, "temperature": 0.1}
    return model, Langevin(model.parameters(), **options, scheme="gjf")


def train(model, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).square().mean().backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_distributed_checkpoint_repeats_the_run(tmp_path, flatten, on_disk):
    options = StateDictOptions(flatten_optimizer_state_dict=flatten)
    model, optimizer = network()
    train(model, optimizer, 2)
    weights = copy.deepcopy(model.state_dict())
    state = copy.deepcopy(get_optimizer_state_dict(model, optimizer, options=options))
    if on_disk:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, that there is one process
            dcp.save(state, checkpoint_id=tmp_path)
    expected = train(model, optimizer, 3)
    again, other = network()
    again.load_state_dict(weights)
    if on_disk:
        state = get_optimizer_state_dict(again, other, options=options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dcp.load(state, checkpoint_id=tmp_path)
    set_optimizer_state_dict(again, other, state, options=options)
    assert all(torch.equal(a, b) for a, b in zip(train(again, other, 3), expected, strict=True))


def test_reading_a_state_changes_nothing():
    ends = []
    for read in (False, True):
        model, optimizer = network()
        for _ in range(3):
            if read:
                get_optimizer_state_dict(model, optimizer)  # takes a step with lr 0 where there is no state yet
                optimizer.state_dict()
                copy.deepcopy(optimizer)
            train(model, optimizer, 1)
        ends.append(train(model, optimizer, 1))
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_the_state_of_an_older_version_repeats_the_run():
    """Until now the noise was a key of its own beside state and groups, which knew neither rescale nor velocity_lr."""
    p, optimizer = make(scheme="gjf")
    step(p, optimizer, 2)
    state = copy.deepcopy(optimizer.state_dict())
    start = p.detach().clone()
    state["noise"] = {"cpu": state["state"][0].pop("generator")}
    for name in ("rescale", "velocity_lr", "noise_at_zero"):
        del state["param_groups"][0][name]
    step(p, optimizer, 2)
    q, other = make(scheme="gjf", generator=torch.Generator().manual_seed(99))
    with torch.no_grad():
        q.copy_(start)
    other.load_state_dict(state)
    step(q, other, 2)
    assert torch.equal(p, q)


@pytest.mark.parametrize("kind", ["without noise", "of another kind of device"])
def test_noise_that_cannot_be_taken_over_is_said_and_kept(kind):
    p, optimizer = make()
    step(p, optimizer)
    state = copy.deepcopy(optimizer.state_dict())
    if kind == "without noise":
        del state["state"][0]["generator"]
    else:
        state["state"][0]["generator"] = torch.zeros(16, dtype=torch.uint8)  # a GPU's
    q, other = make(generator=torch.Generator().manual_seed(7))
    said = "holds no noise for cpu" if kind == "without noise" else "noise of another kind of device than cpu"
    with pytest.warns(UserWarning, match=said):
        other.load_state_dict(state)
    reference = torch.Generator().manual_seed(7)
    assert torch.equal(other.source.generators[q.device].get_state(), reference.get_state())
    step(q, other)


def test_chains_from_one_checkpoint_are_independent_after_reseed():
    p, optimizer = make((20_000,))
    step(p, optimizer, 2)
    ends = []
    for seed in (None, None, 1, 2, 1):
        q, chain = make((20_000,))
        chain.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        if seed is not None:
            chain.reseed(seed)
        step(q, chain)
        ends.append(chain.state[q]["velocity"] - 0.7 * optimizer.state[p]["velocity"])
    assert torch.equal(ends[0], ends[1]) and torch.equal(ends[2], ends[4])
    for a, b in ((0, 2), (0, 3), (2, 3)):
        # The correlation of independent noise: five standard errors, a false alarm in 2e6.
        assert abs(torch.corrcoef(torch.stack([ends[a], ends[b]]))[0, 1]) < 5 / 20_000**0.5


@pytest.mark.parametrize("way", ["a copy", "a pickle", "a state that was put in place"])
def test_a_seed_is_not_undone_by_a_state_from_before(way):
    """The state of a copy, or one that nobody loaded, is taken over in the first step, if it was not seeded since."""
    p, optimizer = make((2000,))
    step(p, optimizer, 2)
    ends = []
    for seed in (1, 2):
        if way == "a copy":
            q, chain = copy.deepcopy((p, optimizer))
        elif way == "a pickle":
            buffer = io.BytesIO()
            torch.save((p, optimizer), buffer)
            buffer.seek(0)
            q, chain = torch.load(buffer, weights_only=False)
        else:
            q, chain = make((2000,))
            chain.state[q] = copy.deepcopy(optimizer.state_dict()["state"][0])
        chain.reseed(seed)
        step(q, chain)
        ends.append(q.detach())
    assert not torch.equal(*ends)


def test_reseed_is_the_noise_of_a_generator_with_that_seed():
    p, optimizer = make(generator=torch.Generator().manual_seed(5))
    q, other = make(generator=None)
    other.reseed(5)
    step(p, optimizer, 2)
    step(q, other, 2)
    assert torch.equal(p, q)


def test_hooks_see_and_change_what_is_loaded():
    """The noise and the velocity come from what the last hook gave."""
    p, optimizer = make(dtype=torch.bfloat16)
    step(p, optimizer, 2)
    saved = copy.deepcopy(optimizer.state_dict())
    q, other = make(dtype=torch.bfloat16, generator=torch.Generator().manual_seed(9))

    def double(_, state):
        state = copy.deepcopy(state)
        state["state"][0]["velocity"] *= 2
        return state

    other.register_load_state_dict_pre_hook(double)
    other.load_state_dict(saved)
    assert torch.equal(other.state[q]["velocity"], 2 * saved["state"][0]["velocity"])
    assert other.state[q]["velocity"].dtype == torch.float32


def test_a_pickle_of_an_older_version():
    p, optimizer = make()
    step(p, optimizer)
    buffer = io.BytesIO()
    torch.save((p, optimizer), buffer)
    buffer.seek(0)
    q, other = torch.load(buffer, weights_only=False)
    older = other.__getstate__()
    older["own_generators"], older["generators"] = (
        False,
        {torch.device("cpu"): older.pop("source").__getstate__()["states"]["cpu"]},
    )
    for group in older["param_groups"]:
        for name in ("rescale", "velocity_lr", "noise_at_zero"):
            del group[name]
    other.__setstate__(older)
    step(p, optimizer)
    step(q, other)
    assert torch.equal(p, q)
