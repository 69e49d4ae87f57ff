"""Where Langevin differs from torch's optimizers on purpose: each difference by name, with its reason, and shown."""

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from physnn import ExperimentalLayer, Langevin


def make(params, **options):
    options = {"damping": 0.3, "temperature": 0.2, "generator": torch.Generator().manual_seed(5), **options}
    return Langevin(params, options.pop("lr", 0.1), **options)


def step(optimizer, grad=1.0):
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for p in params:
        p.grad = torch.full_like(p, grad)
    optimizer.step()
    return [p.detach().clone() for p in params]


def zeros(*shapes):
    return [nn.Parameter(torch.zeros(shape)) for shape in shapes]


@pytest.mark.parametrize(
    "schedule",
    [
        lambda optimizer: lr_scheduler.CyclicLR(optimizer, 0.01, 0.1),
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=5),
    ],
    ids=["CyclicLR", "OneCycleLR"],
)
def test_no_momentum_key(schedule):
    """Momentum is 1 - damping, the friction that the noise belongs to: torch says what it looks for, and lacks."""
    with pytest.raises(ValueError, match="must support momentum"):
        schedule(make(zeros(3)))


def test_packing_decides_the_noise():
    """One call draws for all parameters together, which is what makes noise cheap: with others beside it, or in a group
    of its own, a parameter gets other noise of the same law."""
    alone, first, last = (step(make(params)) for params in (zeros(80), zeros(80, 16), zeros(16, 80)))
    assert torch.equal(alone[0], first[0])
    assert not torch.equal(alone[0], last[1])


def test_no_sparse_gradients():
    """Noise is dense, on every value: a sparse update would be another sampler."""
    table = nn.Embedding(5, 2, sparse=True)
    table(torch.tensor([1, 3])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        make(table.parameters()).step()


@pytest.mark.parametrize("option", ["differentiable", "capturable", "momentum", "nesterov", "dampening"])
def test_no_option(option):
    """A step checks its gradients and draws from generators, which no graph holds; the rest is damping and scheme."""
    with pytest.raises(TypeError, match=option):
        make(zeros(3), **{option: True})


def test_what_is_flat_diffuses():
    """A gradient of zero is a flat direction, which a temperature explores; SGD leaves it, and so does T = 0."""
    (moved,) = step(make(zeros(100)), grad=0.0)
    assert moved.count_nonzero() == 100
    (still,) = step(make(zeros(100), temperature=0.0), grad=0.0)
    assert still.count_nonzero() == 0


def test_gradients_that_are_not_finite_are_refused():
    """A chain that has met one has no law any more; check_finite=False is for who looks for himself."""
    with pytest.raises(FloatingPointError, match="nothing was updated"):
        step(make(zeros(3)), grad=torch.nan)
    assert step(make(zeros(3), check_finite=False), grad=torch.nan)[0].isnan().all()


def test_frozen_parameters_stay():
    """requires_grad=False with a gradient left over from before: SGD moves it, but what is frozen is not sampled."""
    (p,) = zeros(3)
    optimizer = make([p])
    p.requires_grad_(False)
    assert step(optimizer)[0].count_nonzero() == 0


@pytest.mark.parametrize("scheme", ["gjf", "baoa"])
def test_at_lr_zero_the_clock_stands_still(scheme):
    """Velocities are displacements per step, and steps of no length displace nothing: they wait for the next lr."""
    optimizer = make(zeros(3), scheme=scheme)
    before = step(optimizer)
    velocity = next(iter(optimizer.state.values()))["velocity"].clone()
    optimizer.param_groups[0]["lr"] = 0.0
    assert torch.equal(step(optimizer)[0], before[0])
    assert torch.equal(next(iter(optimizer.state.values()))["velocity"], velocity)


def test_a_state_without_noise_is_named():
    """SGD's state is its buffers; a chain's is its generator, too."""
    optimizer = make(zeros(3))
    step(optimizer)
    state = optimizer.state_dict()
    for kept in state["state"].values():
        kept.pop("generator", None)
    with pytest.warns(UserWarning, match="noise of its own"):
        make(zeros(3)).load_state_dict(state)


def test_the_layer_of_the_post_has_the_signature_of_the_post():
    """It stands for the printed class, which knows neither device nor dtype; DynamicLinear knows both."""
    with pytest.raises(TypeError, match="device"):
        ExperimentalLayer(5, 4, 0.1, device="cpu")
