"""The interval over draws, seeds and images, against Student's, a crossed model, and the pigeonhole bootstrap."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from physnn.lab.statistics import stats
from physnn.lab.statistics.crossed import crossed_interval, spread


def model(rng, shape, draw=0.0, seed=0.0, run=0.0, image=0.0, noise=0.0):
    """Values of mean 0: an effect of each draw, seed, run (a draw and a seed) and image, and noise."""
    d, s, i = shape
    sizes = {(d, 1, 1): draw, (1, s, 1): seed, (d, s, 1): run, (1, 1, i): image, (d, s, i): noise}
    return sum(scale * rng.normal(size=size) for size, scale in sizes.items() if scale)


@pytest.mark.parametrize(("axis", "shape"), [(0, (6, 1, 1)), (1, (1, 7, 1)), (2, (1, 1, 30))])
def test_with_one_source_of_spread_it_is_students(axis, shape):
    own = np.random.default_rng(0).normal(size=shape)
    found = crossed_interval(own + np.zeros((6, 7, 30)))
    assert found[:3] == pytest.approx(stats.mean_interval(own.ravel())[:3]) and found.n == 6
    parts = spread(own + np.zeros((6, 7, 30)))
    assert parts[1 + axis] == pytest.approx(parts.error) and parts.freedom == pytest.approx(shape[axis] - 1)


def test_the_parts_are_those_of_the_formula():
    values = np.random.default_rng(1).integers(-1, 2, (3, 4, 50))
    parts = [np.var([values.take(k, a).mean() for k in range(n)], ddof=1) / n for a, n in enumerate(values.shape)]
    found = spread(values)
    assert np.square(found[1:4]) == pytest.approx(parts) and found.error**2 == pytest.approx(sum(parts))
    assert found.freedom == pytest.approx(
        sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3 + parts[2] ** 2 / 49)
    )


def test_one_search_has_seeds_and_images():
    right = np.random.default_rng(2).random((10, 200)) < 0.9
    found = crossed_interval(right)
    assert found.mean == right.mean() and found.n == 10 and spread(right).draws == 0
    assert crossed_interval(right.astype(float)) == found
    with pytest.raises(ValueError, match=r"1 of draws says nothing of their spread.*give values\[0\]"):
        crossed_interval(right[None])


@pytest.mark.parametrize(
    ("sources", "most"),
    [
        ({"draw": 1.0, "image": 2.0}, 0.975),
        ({"draw": 0.3, "run": 1.0, "image": 3.0}, 0.985),
        ({"seed": 1.0, "image": 3.0}, 0.975),  # seeds that every draw shares: draws alone would not see them
        ({"draw": 0.5, "seed": 0.5, "run": 0.5, "image": 5.0, "noise": 5.0}, 0.985),
        ({"noise": 1.0}, 1.0),
    ],
)
@pytest.mark.parametrize("draws", [3, 5])
def test_it_covers_the_mean(sources, most, draws):
    """Of 400 studies of 3 or 5 draws, 10 seeds and 100 images 93 % or more; false-alarm rate 1e-4 at either end."""
    rng = np.random.default_rng(3)
    ends = [crossed_interval(model(rng, (draws, 10, 100), **sources) + np.zeros((draws, 10, 100))) for _ in range(400)]
    covered = sum(low < 0 < high for _, low, high, _ in ends)
    assert scipy_stats.binomtest(covered, 400, 0.93, "less").pvalue > 1e-4
    assert most == 1 or scipy_stats.binomtest(covered, 400, most, "greater").pvalue > 1e-4


def test_it_covers_the_accuracy_of_networks_that_are_right_or_wrong():
    """Right where a normal score exceeds 0: the accuracy is Phi(1.5 / sqrt(1 + the variances)). 93 % or more."""
    rng, scales = np.random.default_rng(4), {"draw": 0.1, "seed": 0.05, "run": 0.1, "image": 1.0}
    true = scipy_stats.norm.cdf(1.5 / (1 + sum(s * s for s in scales.values())) ** 0.5)
    covered = 0
    for _ in range(200):
        right = model(rng, (4, 5, 400), **scales, noise=1.0) + 1.5 > 0
        _, low, high, _ = crossed_interval(right)
        covered += low < true < high
    assert scipy_stats.binomtest(covered, 200, 0.93, "less").pvalue > 1e-4


def test_it_agrees_with_the_pigeonhole_bootstrap_where_levels_are_many():
    """Owen (2007): draws, seeds and images are drawn again, each for itself; 1,500 times, so to 2 %."""
    rng = np.random.default_rng(5)
    values = model(rng, (40, 30, 60), draw=1.0, seed=1.0, image=1.0, noise=1.0)
    means = []
    for _ in range(1500):
        counts = [rng.multinomial(n, np.full(n, 1 / n)) / n for n in values.shape]
        means.append(np.einsum("dsi,d,s,i", values, *counts, optimize=True))
    assert np.std(means) == pytest.approx(spread(values).error, rel=0.08)


def test_arms_that_answer_alike_differ_by_nothing():
    assert crossed_interval(np.zeros((3, 4, 5), dtype=np.int8)) == (0, 0, 0, 3)
    assert crossed_interval(np.ones((4, 5), dtype=bool)) == (1, 1, 1, 4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(5), r"shape \(draws, seeds, images\) or \(seeds, images\), got \(5,\)"),
        (np.zeros((2, 1, 5)), "1 of seeds says nothing"),
        (np.zeros((2, 3, 1)), "1 of images says nothing"),
        (np.zeros((0, 3, 2)), "0 of draws says nothing"),
        (np.array([[0.0, 1.0], [np.nan, 1.0]]), "1 of 4 values are missing"),
    ],
)
def test_bad_input(values, message):
    with pytest.raises(ValueError, match=message):
        crossed_interval(values)
