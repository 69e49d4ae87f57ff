"""Which hyperparameter decides: importances by permutation, of a random forest that predicts a trial's value."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

FORESTS, TREES, REPEATS = 5, 64, 5


def importances(trials: pd.DataFrame, columns: Sequence[str], value: str) -> tuple[pd.DataFrame, float]:
    """Return the importance of each hyperparameter for ``value``, and how well the forest predicts at all.

    A random forest (Breiman 2001, scikit-learn's) is fitted to the trials. The importance of a column is half of what
    is lost of R², the explained variance, when its values are shuffled among the trials: 0 where it does nothing, 1
    where it decides alone (shuffled, it then gives the values of other trials, with twice the variance as error). The
    sum exceeds 1 where columns act together. Five forests, from fixed seeds, each with five shuffles of each column.

    The forest predicts trials that it knows, so that importances show what it uses. Whether it has learned anything
    is the second result: R² of trials outside each tree's sample ("out of bag"), mean over the forests. Near or below
    0 the importances mean nothing.

    Args:
        trials: one row for each trial.
        columns: the hyperparameters that were searched. Their logarithms are the same to a tree.
        value: column with what the trial gave.

    Returns:
        ``mean``, ``low`` and ``high`` (lowest and highest forest), indexed by ``columns``, the largest first; and R².

    Raises:
        ValueError: there are fewer than ten trials, or something is not finite.
    """
    from sklearn.ensemble import RandomForestRegressor  # takes a second to import
    from sklearn.inspection import permutation_importance

    columns = list(columns)
    x, y = trials[columns].to_numpy(dtype=float), trials[value].to_numpy(dtype=float)
    if len(y) < 10 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"importances need at least ten trials with finite {columns} and {value!r}, got {len(y)}")
    found, scores = [], []
    for seed in range(FORESTS):
        forest = RandomForestRegressor(TREES, oob_score=True, min_samples_leaf=2, random_state=seed).fit(x, y)
        lost = permutation_importance(forest, x, y, n_repeats=REPEATS, random_state=seed)
        found.append(lost.importances_mean / 2)
        scores.append(forest.oob_score_)
    several = pd.DataFrame(found, columns=columns)
    result = pd.DataFrame({"mean": several.mean(), "low": several.min(), "high": several.max()})
    return result.sort_values("mean", ascending=False), float(np.mean(scores))
