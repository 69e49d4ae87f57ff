"""Whether early readings of a run tell that it will fail, on runs that no model was fitted to.

A run fails that diverges, or ends below an accuracy. From what is known of it after its first epoch, a model of
gradient-boosted trees, the same for every set of readings, is fitted to other runs: to those of the other half of the
settings that were drawn, and of other seeds. What counts is the area under the ROC curve among the runs of one arm, so
that nothing is won by telling arms apart; the arms are the sample, but for those whose runs all end in one way.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

FAILED_BELOW = 0.8  # validation accuracy after the last epoch
SETTINGS = ("lr", "lr_over_damping", "damping", "temperature", "beta_init")
PLAIN = ("loss", "gradient", "validation_accuracy")
PHYSICS = ("kinetic", "configurational", "energy", "negative", "rho", "rate", "speed")
PREDICTORS: dict[str, tuple[str, ...]] = {
    "learning rate": ("lr",),
    "settings": SETTINGS,
    "loss and gradient": ("lr", "loss", "gradient"),
    "accuracy": ("lr", "validation_accuracy"),
    "physics": PHYSICS,
    "all but physics": SETTINGS + PLAIN,
    "everything": SETTINGS + PLAIN + PHYSICS,
}


def runs(table: pd.DataFrame, epochs: int, moment: int = 1) -> pd.DataFrame:
    """Return a row for each run of a recorded study that has reached an epoch: its readings then, and how it ended.

    Args:
        table: rows of runs with random settings, one for each arm, setting, seed and epoch, in the order of the draw.
        epochs: how many a run has that does not diverge.
        moment: the epoch of the readings.

    Returns:
        What the table has of that epoch, ``failed``, ``lr_over_damping``, and ``trial``, the setting's place in the
        draw.

    Raises:
        ValueError: the moment is not before the end, or two settings have one learning rate.
    """
    if not 1 <= moment < epochs:
        raise ValueError(f"the moment of the readings must be from 1 to {epochs - 1}, got {moment}")
    place = {lr: i for i, lr in enumerate(dict.fromkeys(table.lr))}
    key = ["arm", "lr", "seed"]
    if table[table.epoch == 0].duplicated(key).any():
        raise ValueError("two settings of one arm and seed have the same lr: draw others")
    early = table[table.epoch == moment].set_index(key)
    ended = table[table.epoch == epochs].set_index(key).validation_accuracy.reindex(early.index)
    found = early.assign(failed=~(ended >= FAILED_BELOW)).reset_index()
    over = found.lr / found.damping if "damping" in found else np.nan
    return found.assign(trial=found.lr.map(place), lr_over_damping=over)


def chances(found: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return for each run the chance of failure that a model gives it which has seen neither its setting nor its seed.

    The model knows the run's arm, whatever the columns are. It is scikit-learn's ``HistGradientBoostingClassifier``,
    with 100 trees of at most 8 leaves. Four are fitted, one for each half of the draw and each of two groups of seeds,
    and each is asked about the runs in which both are the others.

    Args:
        found: what :func:`runs` returns.

    Raises:
        ValueError: a column is unknown, there is one seed only, or a part has runs of one outcome alone.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    if unknown := [name for name in columns if name not in found]:
        raise ValueError(f"columns must be of {list(found.columns)}, got {unknown}")
    x = pd.concat(
        [found[list(columns)].astype(float), pd.Series(pd.factorize(found.arm)[0], found.index, name="arm")], axis=1
    )
    model = HistGradientBoostingClassifier(
        max_iter=100, max_leaf_nodes=8, min_samples_leaf=10, categorical_features=[len(columns)], random_state=0
    )
    fold, told = folds(found), pd.Series(np.nan, found.index)
    for part in product((False, True), repeat=2):
        fitted, asked = ((fold == np.array(side)).all(axis=1) for side in (part, np.logical_not(part)))
        if found.failed[fitted].nunique() < 2:
            raise ValueError(f"a model needs runs that fail and runs that do not, got {fitted.sum()} of one kind")
        with threadpool_limits(1):  # so few runs are no work to share, and threads wait for minutes on a busy machine
            model.fit(x[fitted], found.failed[fitted])
            told[asked] = model.predict_proba(x[asked])[:, 1]
    return told


def folds(found: pd.DataFrame) -> pd.DataFrame:
    """Tell of each run whether it is of the second half of the draw, and of the second half of the seeds.

    Raises:
        ValueError: there is one seed or one setting only.
    """
    halves = {}
    for name in ("trial", "seed"):
        values = np.sort(found[name].unique())
        if len(values) < 2:
            raise ValueError(f"held-out runs need at least two of {name}, got {list(values)}")
        halves[name] = found[name] >= values[len(values) // 2]
    return pd.DataFrame(halves)


def by_arm(found: pd.DataFrame, told: pd.Series) -> pd.Series:
    """Return each arm's area under the ROC curve, the mean of that in its four held-out parts.

    A part whose runs all end in one way has none and is left out, and so is an arm that has no other parts: there is
    nothing to foretell.

    Raises:
        ValueError: fewer than two arms are left.
    """
    parts = [found.arm, *(column for _, column in folds(found).items())]
    areas = {
        names: area(told[rows.index], rows.failed)
        for names, rows in found.groupby(parts, sort=False)
        if rows.failed.nunique() == 2
    }
    means = pd.Series(areas).groupby(level=0, sort=False).mean()
    if len(means) < 2:
        raise ValueError(
            f"a sample needs two arms with runs that fail and runs that do not in a held-out part, got {[*means.index]}"
        )
    return means.reindex([arm for arm in pd.unique(found.arm) if arm in means.index]).rename_axis("arm")


def area(told: Sequence[float], failed: Sequence[bool]) -> float:
    r"""Return the area under the ROC curve: the chance that a run which fails was given more than one that does not.

    .. math::
        \frac{\sum_{i\,\mathrm{failed}} \operatorname{rank}_i - n_1(n_1 + 1)/2}{n_1 n_0}

    with mean ranks of ties, which count half. Source: Hanley & McNeil (1982).

    Raises:
        ValueError: a number is not finite, or all runs end in one way.
    """
    told, failed = np.asarray(told, float), np.asarray(failed, bool)
    ones, zeros = int(failed.sum()), int((~failed).sum())
    if not (ones and zeros and np.isfinite(told).all()):
        raise ValueError(
            f"an area needs finite numbers of runs of both kinds, got {ones} that failed and {zeros} others"
        )
    return float((stats.rankdata(told)[failed].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def forewarned(table: pd.DataFrame, epochs: int, predictor: str, moment: int = 1) -> pd.Series:
    """Return each arm's area under the ROC curve for one of ``PREDICTORS``.

    Raises:
        ValueError: there is no such predictor, or as :func:`runs`, :func:`chances` and :func:`by_arm`.
    """
    if predictor not in PREDICTORS:
        raise ValueError(f"predictor must be one of {', '.join(PREDICTORS)}, got {predictor!r}")
    found = runs(table, epochs, moment)
    return by_arm(found, chances(found, PREDICTORS[predictor]))
