"""A network in the place of the machine's force: what it knows, and what it makes."""

import torch

from physnn.lab.models.denoiser import Denoiser, train
from physnn.lab.models.network import parameter_count
from physnn.lab.physics.noising import Fade

FADE = Fade(60, 0.1, hold=0.1, gone=0.4)
STRIPES = torch.tensor([[1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])


def trained(clock, seed=0, steps=2000):
    return train(STRIPES, FADE, 4.0, 16, clock=clock, lr=0.01, steps=steps, batch_size=64, seed=seed)


def test_its_size_is_as_said_and_without_a_clock_it_knows_no_time():
    x = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    early, late = torch.zeros(5, 1), torch.ones(5, 1)
    for clock in (True, False):
        network = Denoiser(64, 16, clock=clock)
        assert parameter_count(network) == (64 + clock + 1) * 16 + 17 * 64
        assert torch.equal(network(x, early), network(x, late)) != clock


def test_it_makes_both_pictures_it_was_given():
    for clock in (True, False):
        start = FADE.noise(400, 4, torch.Generator().manual_seed(1))
        made = trained(clock).walk(FADE, 4.0, start, torch.Generator().manual_seed(2))
        away = torch.cdist(made, STRIPES)
        found = [(away[:, i] < 1).double().mean().item() for i in range(2)]  # they are 4 apart
        assert min(found) > 0.25 and sum(found) > 0.85, clock


def test_bounded_guesses_do_not_run_away():
    """A network that says three times the state takes everything away, but for its bounds."""
    for clock in (True, False):
        network = Denoiser(4, 8, clock=clock)
        network.forward = lambda x, time: 3 * x
        start = FADE.noise(50, 4, torch.Generator().manual_seed(1))
        free, bounded = (
            network.walk(FADE, 4.0, start, torch.Generator().manual_seed(2), bounded=b) for b in (False, True)
        )
        assert free.abs().max() > 100 and bounded.abs().max() < (1 if clock else FADE.leads.max()) + 1e-6


def test_what_is_within_its_bounds_is_the_same_with_them():
    network, start = trained(True), FADE.noise(50, 4, torch.Generator().manual_seed(1))
    free, bounded = (network.walk(FADE, 4.0, start, torch.Generator().manual_seed(2), bounded=b) for b in (False, True))
    assert (free - bounded).abs().max() < 0.5 and bounded.abs().max() <= 1


def test_a_seed_is_all_that_it_depends_on():
    one, two, other = trained(True, steps=3), trained(True, steps=3), trained(True, 1, steps=3)
    assert torch.equal(one.inner.weight, two.inner.weight)
    assert not torch.equal(one.inner.weight, other.inner.weight)
    torch.manual_seed(5)
    assert torch.equal(trained(True, steps=3).outer.bias, one.outer.bias)
