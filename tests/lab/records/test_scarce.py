"""What few labels would have chosen: of trials that are made up, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from physnn.lab.metrics.answers import pack
from physnn.lab.records.scarce import chosen_by


def made_up(shares, images=1000, seeds=(1, 2), **changed):
    """Return a study of one arm whose trials answer these shares of the images rightly."""
    generator = np.random.default_rng(0)
    rows = [
        {"phase": "tuning", "arm": "a", "lr": float(i), "seed": seed, "epoch": 3,
         "validation_right": pack(generator.random(images) < share)}
        for i, share in enumerate(shares)
        for seed in seeds
    ]  # fmt: skip
    design = {"tuning": {"epochs": 3, "seeds": list(seeds)}}
    values = {"name": "made-up", "design": design, "hyperparameters": ["lr"], "table": lambda: pd.DataFrame(rows)}
    return SimpleNamespace(**{**values, **changed})


def test_many_images_choose_the_best_and_one_chooses_little_better_than_chance():
    study = made_up([0.9, 0.6, 0.3])
    assert chosen_by(study, "a", 500).min() > 0.85
    few = chosen_by(study, "a", 1, draws=2000)
    # Of one image and two runs each: the chances of 0, 1 and 2 right, and the best of three with ties drawn.
    sizes = np.arange(3)
    chances = [np.array([(1 - p) ** 2, 2 * p * (1 - p), p**2]) for p in (0.9, 0.6, 0.3)]
    expected = 0.0
    for a in sizes:
        for b in sizes:
            for c in sizes:
                best = max(a, b, c)
                tied = [p for p, x in ((0.9, a), (0.6, b), (0.3, c)) if x == best]
                expected += chances[0][a] * chances[1][b] * chances[2][c] * np.mean(tied)
    assert few.mean() == pytest.approx(expected, abs=5 * few.std() / np.sqrt(len(few)) + 0.02)  # and 1,000 images


def test_draws_of_two_arms_take_the_same_images():
    one, two = made_up([0.8]), made_up([0.8, 0.0])
    np.testing.assert_allclose(chosen_by(one, "a", 100), chosen_by(two, "a", 100))


def test_what_cannot_be_chosen_from_says_so():
    study = made_up([0.5])
    with pytest.raises(ValueError, match="no trial of 'b'"):
        chosen_by(study, "b", 10)
    with pytest.raises(ValueError, match="images must be from 1 to 999, got 1000"):
        chosen_by(study, "a", 1000)
    lost = made_up([0.5], design={"tuning": {"epochs": 3, "seeds": [1, 2, 3]}})
    with pytest.raises(ValueError, match="no trial of 'a'"):
        chosen_by(lost, "a", 10)
    silent = made_up([0.5], table=lambda: pd.DataFrame({"phase": ["tuning"]}))
    with pytest.raises(ValueError, match="keeps no answers: it needs the extra `answers`"):
        chosen_by(silent, "a", 10)
