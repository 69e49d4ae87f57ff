"""The two squared differences on pixels: against autograd, a literal transcription, and dense linear algebra."""

import math

import pytest
import torch

from physnn import ginzburg_landau_loss
from physnn.field import difference
from physnn.lab.physics import pixels

SHAPES = [(6, 8), (5, 7), (4, 4)]


def image(shape, seed=0, count=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, generator=generator, dtype=torch.float64)


def dense(stencil, shape):
    """The matrix of A, column by column."""
    n = math.prod(shape)
    return pixels.apply(torch.eye(n, dtype=torch.float64).view(n, *shape), stencil).view(n, n).T


def energy(u, stencil):
    if stencil == "central":
        return sum(difference(u, dim, "periodic").square().sum() for dim in (1, 2))
    return sum(u.diff(dim=dim).square().sum() for dim in (1, 2))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stencil", pixels.STENCILS)
def test_a_is_half_the_gradient_of_the_squared_difference(stencil, shape):
    u = image(shape).requires_grad_()
    (slope,) = torch.autograd.grad(energy(u, stencil) / 2, u)
    torch.testing.assert_close(pixels.apply(u.detach(), stencil), slope)
    assert (u * pixels.apply(u, stencil)).sum().item() == pytest.approx(energy(u, stencil).item())


def test_the_central_one_is_the_posts_term_on_an_image():
    """By the loss itself, and by the formula as the post prints it, place by place."""
    u = image((5, 6), count=1)
    u /= u.abs().max()
    by_hand = 0.0
    for i in range(5):
        for j in range(6):
            down = (u[0, (i + 1) % 5, j] - u[0, (i - 1) % 5, j]) / 2
            right = (u[0, i, (j + 1) % 6] - u[0, i, (j - 1) % 6]) / 2
            by_hand += 0.5 * (down**2 + right**2)
    loss = ginzburg_landau_loss(u[:, None], u[:, None], 0.0, 0.0, 0.5)
    assert loss.item() == pytest.approx(by_hand.item() / 30)
    assert 0.5 * (u * pixels.central(u)).sum().item() == pytest.approx(by_hand.item())


def test_the_printed_difference_does_not_see_a_chessboard_and_ties_four_images():
    i, j = torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij")
    board = ((-1.0) ** (i + j))[None]
    assert pixels.central(board).abs().max() == 0
    assert pixels.neighbours(board).abs().min() >= 4  # the largest that there is, 8 inside
    touched = pixels.central(torch.zeros(6, 8).index_put((torch.tensor(2), torch.tensor(3)), torch.tensor(1.0)))
    assert {(a % 2, b % 2) for a, b in touched.nonzero().tolist()} == {(0, 1)}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("stencil", "strength"), [("central", 2.0), ("central", -0.4), ("neighbours", 2.0)])
def test_the_closed_form_solves_the_normal_equations(stencil, strength, shape):
    f, n = image(shape), math.prod(shape)
    matrix = torch.eye(n, dtype=torch.float64) + strength * dense(stencil, shape)
    solved = torch.linalg.solve(matrix, f.view(3, n).T).T.view_as(f)
    torch.testing.assert_close(pixels.smooth(f, None, strength, stencil), solved)


@pytest.mark.parametrize("stencil", pixels.STENCILS)
@pytest.mark.parametrize("strength", [0.01, 1.0, 30.0])
def test_with_missing_pixels_it_solves_them_too(stencil, strength):
    f = image((8, 6), count=4)
    mask = (image((8, 6), seed=1, count=4) > -0.3).double()
    found = pixels.smooth(f * mask, mask, strength, stencil)
    for u, m, known in zip(found, mask, f * mask, strict=True):
        matrix = torch.diag(m.flatten()) + strength * dense(stencil, (8, 6))
        torch.testing.assert_close(u.flatten(), torch.linalg.solve(matrix, known.flatten()), rtol=1e-6, atol=1e-8)


def test_images_are_solved_as_if_they_were_alone():
    f, mask = image((8, 6), count=4), (image((8, 6), seed=1, count=4) > 0).double()
    together = pixels.smooth(f * mask, mask, 0.3, "neighbours")
    for i in range(4):
        alone = pixels.smooth((f * mask)[i : i + 1], mask[i : i + 1], 0.3, "neighbours")
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-9, atol=1e-10)


def test_of_what_nothing_is_known_there_is_nothing():
    nothing = torch.zeros(2, 4, 4, dtype=torch.float64)
    assert pixels.smooth(nothing, nothing, 1.0, "neighbours").abs().max() == 0
    half = nothing.clone()
    half[:, :2] = 1
    assert pixels.filled(3 * half, half).unique().tolist() == [3.0]


@pytest.mark.parametrize("stencil", pixels.STENCILS)
def test_a_strong_pull_leaves_the_means(stencil):
    """Of the whole image, or of each of the four that the printed difference knows."""
    f = image((6, 8))
    u = pixels.smooth(f, None, 1e9, stencil)
    step = 2 if stencil == "central" else 1
    for a in range(step):
        for b in range(step):
            part, given = u[:, a::step, b::step], f[:, a::step, b::step]
            torch.testing.assert_close(part, given.mean((1, 2), keepdim=True).expand_as(part), rtol=0, atol=1e-6)


def test_what_has_no_minimum_is_refused():
    f = image((4, 4))
    with pytest.raises(ValueError, match=r"must be positive, got shift=1, strength=-0.5"):
        pixels.smooth(f, None, -0.5, "central")
    with pytest.raises(ValueError, match="where pixels are missing the strength must be above 0, got 0"):
        pixels.smooth(f, torch.ones_like(f), 0.0, "central")
    for call in (lambda: pixels.apply(f, "forward"), lambda: pixels.invert(f, "forward", 1.0, 1.0)):
        with pytest.raises(ValueError, match="stencil must be one of central, neighbours, got 'forward'"):
            call()
