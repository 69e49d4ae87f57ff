"""Several chains at once: each is the network that it was made of, and none touches another."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

from physnn import Chains, DynamicLinear, Langevin, Thermometer


def mlp():
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def data(n=10):
    g = torch.Generator().manual_seed(0)
    return torch.randn(n, 4, generator=g), torch.randint(3, (n,), generator=g)


class Tied(nn.Module):
    """One matrix, twice, with a buffer between."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4, bias=False)
        self.second = nn.Linear(4, 4, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("scale", torch.rand(4))

    def forward(self, x):
        return self.second(self.first(x) * self.scale)


@pytest.mark.parametrize(
    "make",
    [mlp, Tied, lambda: DynamicLinear(4, 3), lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)).eval()],
    ids=["mlp", "tied", "dynamic", "batch norm"],
)
def test_outputs_and_gradients_are_each_networks_own(make):
    chains, (x, _) = Chains.seeded(make, [3, 1, 2]), data()
    outputs = chains(x)
    outputs.square().mean((1, 2)).sum().backward()
    for k, seed in enumerate([3, 1, 2]):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = make()
        torch.testing.assert_close(outputs[k], network(x))
        torch.testing.assert_close(chains.chain(k)(x), network(x))
        network(x).square().mean().backward()
        for (name, p), (stacked, q) in zip(network.named_parameters(), chains.named_parameters(), strict=True):
            assert stacked == f"network.{name}"
            torch.testing.assert_close(q.grad[k], p.grad)


def test_losses_with_data_of_all_and_with_data_of_each():
    chains, (x, y) = Chains.seeded(mlp, range(3)), data(12)
    expected = torch.stack([F.cross_entropy(chains.chain(k)(x), y) for k in range(3)])
    torch.testing.assert_close(chains.losses(F.cross_entropy, x, y), expected)
    several, labels = x.view(3, 4, 4), y.view(3, 4)
    own = torch.stack([F.cross_entropy(chains.chain(k)(several[k]), labels[k]) for k in range(3)])
    torch.testing.assert_close(chains.losses(F.cross_entropy, several, labels, own=True), own)
    torch.testing.assert_close(chains(several, own=True)[1], chains.chain(1)(several[1]))


def test_a_chain_of_the_stack_is_the_network_that_langevin_moves_alone():
    """At T = 0, where there is no noise to share; with decay, and steps of the same gradients."""
    chains, (x, y) = Chains.seeded(mlp, [0, 1]), data()
    alone = chains.chain(1)
    both = [Langevin(model.parameters(), 0.1, damping=0.3, weight_decay=0.02) for model in (chains, alone)]
    for _ in range(20):
        for optimizer in both:
            optimizer.zero_grad()
        chains.losses(F.cross_entropy, x, y).sum().backward()
        F.cross_entropy(alone(x), y).backward()
        for optimizer in both:
            optimizer.step()
    for p, q in zip(alone.parameters(), chains.chain(1).parameters(), strict=True):
        torch.testing.assert_close(p, q)


def walked(seed=0, same=False):
    """Chains in equilibrium on a parabola of curvature 1, at T = 0.3."""
    make = lambda: nn.Linear(5000, 1, bias=False)  # noqa: E731
    chains = Chains([make()] * 2) if same else Chains.seeded(make, range(2))
    (w,) = chains.parameters()
    noise = torch.Generator().manual_seed(seed)
    optimizer = Langevin([w], 0.3, damping=0.7, temperature=0.3, scheme="gjf", generator=noise)
    thermometer = Thermometer(optimizer, every=1)
    for _ in range(60):
        w.grad = w.detach().clone()
        optimizer.step()
    return chains, thermometer


def test_chains_from_one_start_are_independent():
    """Started at one point, their 5,000 weights are uncorrelated after 60 steps: a Pearson test at 1e-5."""
    chains, thermometer = walked(same=True)
    one, two = next(chains.parameters()).detach().flatten(1)
    assert stats.pearsonr(one.numpy(), two.numpy()).pvalue > 1e-5
    (reading,) = thermometer.read(1 - 1e-5)
    assert reading["dof"] == 10_000 and reading["low"] < reading["kinetic"].item() < reading["high"]


def test_the_same_seeds_give_the_same_chains_bit_for_bit():
    ends = [next(walked(seed=seed)[0].parameters()) for seed in (0, 0, 1)]
    assert torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])


def test_seeds_leave_the_global_generator_where_it_was():
    torch.manual_seed(4)
    before = torch.random.get_rng_state()
    Chains.seeded(mlp, range(3))
    assert torch.equal(torch.random.get_rng_state(), before)
    with pytest.raises(ValueError, match="seeds must differ"):
        Chains.seeded(mlp, [0, 1, 0])


def test_networks_that_were_given_are_not_moved():
    networks = [mlp(), mlp()]
    before = [p.detach().clone() for network in networks for p in network.parameters()]
    chains, (x, y) = Chains(networks), data()
    optimizer = Langevin(chains.parameters(), 0.1, damping=0.3, temperature=0.1)
    chains.losses(F.cross_entropy, x, y).sum().backward()
    optimizer.step()
    chains.chain(0)[0].weight.data.zero_()
    assert all(torch.equal(a, b) for a, b in zip(before, (p for n in networks for p in n.parameters()), strict=True))
    assert chains.network[0].weight.abs().min() > 0


def test_states_round_trip_and_follow_a_conversion():
    chains, other = Chains.seeded(mlp, range(3)), Chains.seeded(mlp, range(3, 6))
    other.load_state_dict(chains.state_dict())
    x, _ = data()
    assert torch.equal(chains(x), other(x)) and len(other) == 3
    assert chains.double()(x.double()).dtype == torch.float64
    assert "chains=3" in repr(chains)


def test_frozen_parameters_stay_frozen_and_groups_have_names():
    def make():
        network = mlp()
        network[0].weight.requires_grad_(False)
        return network

    chains = Chains.seeded(make, range(2))
    assert [p.requires_grad for p in chains.parameters()] == [False, True, True, True]
    assert not chains.chain(0)[0].weight.requires_grad
    assert [p.shape for p in chains.network[2].parameters()] == [(2, 3, 6), (2, 3)]


def test_running_statistics_are_each_chains_own():
    make = lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))  # noqa: E731
    chains, (x, _) = Chains.seeded(make, range(2)), data()
    chains(x)
    for k in range(2):
        with torch.random.fork_rng():
            torch.manual_seed(k)
            network = make()
        network(x)
        torch.testing.assert_close(chains.network[1].running_mean[k], network[1].running_mean)


class Signed(nn.Linear):
    def __init__(self, sign):
        super().__init__(4, 3)
        self.sign = sign


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ([], "at least one network"),
        ([nn.ReLU()], "ReLU has no parameters"),
        ([nn.Linear(4, 3), nn.Linear(4, 2)], "out_features is 3 in the first and 2 in that of index 1"),
        ([nn.Linear(4, 3), nn.Bilinear(4, 3, 3)], "the class of the network is Linear in the first and Bilinear"),
        ([Signed(1.0), Signed(-1.0)], "sign is 1.0 in the first and -1.0"),
        ([nn.Linear(4, 3), nn.Linear(4, 3).double()], "weight is torch.float32"),
        ([nn.Linear(4, 3), nn.Linear(4, 3).eval()], "training is True in the first and False"),
        ([nn.Linear(4, 3), nn.Linear(4, 3, bias=False)], "bias is torch.float32 of shape .* and absent"),
        ([nn.Linear(4, 3), nn.Linear(4, 3).requires_grad_(False)], "not trained"),
    ],
)
def test_networks_that_are_not_alike(networks, said):
    with pytest.raises(ValueError, match=said):
        Chains(networks)


def test_bad_calls():
    chains, (x, y) = Chains.seeded(mlp, range(3)), data()
    with pytest.raises(ValueError, match="must be a scalar, got one of shape"):
        chains.losses(lambda outputs, y: F.cross_entropy(outputs, y, reduction="none"), x, y)
    with pytest.raises(ValueError, match="the first axis is that of the 3 chains, got shapes"):
        chains(x, own=True)
    with pytest.raises(IndexError, match="there are 3 chains, got index 3"):
        chains.chain(3)
    dropping = Chains([nn.Sequential(nn.Linear(4, 3), nn.Dropout())])
    with pytest.raises(ValueError, match=r"draws random numbers .* call eval\(\)"):
        dropping(x)
    assert dropping.eval()(x).shape == (1, 10, 3)
    with pytest.raises(RuntimeError, match="5"):  # torch's own, and no other
        chains(torch.zeros(10, 5))


def test_a_mean_over_the_chains_would_be_hotter():
    """Why losses are summed: K times the temperature is what a mean over K chains samples."""
    k, steps = 400, 80
    spread = {}
    for how in ("sum", "mean"):
        chains = Chains.seeded(lambda: nn.Linear(1, 1, bias=False), range(k))
        noise = torch.Generator().manual_seed(2)
        optimizer = Langevin(chains.parameters(), 0.5, damping=0.9, temperature=0.2, scheme="gjf", generator=noise)
        x, y = torch.ones(1, 1), torch.zeros(1, 1)
        for _ in range(steps):
            optimizer.zero_grad()
            getattr(chains.losses(lambda f, y: (f - y).square().mean() / 2, x, y), how)().backward()
            optimizer.step()
        spread[how] = next(chains.parameters()).var().item()
    low, high = stats.chi2.interval(1 - 1e-5, k - 1)
    assert low < (k - 1) * spread["sum"] / 0.2 < high
    assert spread["mean"] > 5 * spread["sum"] and math.isfinite(spread["mean"])
