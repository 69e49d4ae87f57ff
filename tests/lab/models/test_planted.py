"""The planted problem: the teacher is a best minimum, and so is every exchange of its units."""

import itertools

import pytest
import torch

from physnn.lab.models.planted import SPREADS, Planted


@pytest.fixture(scope="module")
def problems():
    return Planted([3, 4], units=3, inputs=2, samples=40)


def exchanged(problems):
    """Return all orders of the teachers' units, of shape (R, 6, units * inputs)."""
    units = problems.teacher.view(2, 3, 2)
    return torch.stack([units[:, list(order)].flatten(1) for order in itertools.permutations(range(3))], 1)


def test_the_teacher_has_no_loss_and_no_slope_in_any_order(problems):
    losses, slopes = problems.evaluate(exchanged(problems))
    assert losses.max() < 1e-12 and slopes.abs().max() < 1e-6
    assert problems.found(exchanged(problems), losses).all()


def test_the_slope_is_the_gradient(problems):
    problems = Planted([3, 4], 3, 2, 40)
    for name in ("x", "y"):
        setattr(problems, name, getattr(problems, name).double())
    students = torch.randn(2, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    losses, slopes = problems.evaluate(students)
    expected = torch.autograd.grad(losses.sum(), students)[0]
    torch.testing.assert_close(slopes.detach(), expected)
    by_hand = (students.view(2, 5, 3, 2) @ problems.x[:, None].mT).tanh().sum(2) - problems.y[:, None]
    torch.testing.assert_close(losses, by_hand.square().mean(-1) / 2)


def test_zero_explains_nothing_and_is_not_found(problems):
    students = torch.zeros(2, 1, 6)
    losses, _ = problems.evaluate(students)
    torch.testing.assert_close(losses[:, 0], problems.y.square().mean(1) / 2)
    assert not problems.found(students, losses).any()


def test_a_problem_is_that_of_its_seed_alone(problems):
    alone = Planted([4], 3, 2, 40)
    torch.testing.assert_close(alone.y[0], problems.y[1])
    torch.testing.assert_close(alone.tolerance[0], problems.tolerance[1])


def test_starts_are_as_far_from_zero_as_the_teacher_or_a_tenth_of_it(problems):
    for start, spread in SPREADS.items():
        drawn = problems.draw(torch.Generator().manual_seed(0), 20_000, start)
        assert drawn.std().item() == pytest.approx(spread * 3 / 2**0.5, rel=0.02)  # 120,000 numbers: 10 standard errors
    with pytest.raises(ValueError, match="start must be one of near, far, got 'wide'"):
        problems.draw(torch.Generator(), 1, "wide")
