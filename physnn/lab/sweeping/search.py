"""A search with Optuna: each trial is a draw that the earlier ones have led to, and runs with every listed value."""

import hashlib
import importlib.util
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from physnn.lab.chapter.contract import ParameterError
from physnn.lab.sweeping.combinations import Choice, Combination, combinations, count, factors, left_out
from physnn.lab.sweeping.draws import Distribution
from physnn.lab.sweeping.grid import EVERYTHING, Point, known_axis, namer
from physnn.lab.sweeping.notebook import Notebook, SweepError
from physnn.lab.sweeping.store import Folder
from physnn.lab.sweeping.values import cast

if TYPE_CHECKING:
    import optuna

INSTALL = 'pip install "physnn[search] @ git+https://github.com/physnn/physnn"'
SAMPLERS = {"tpe": "TPESampler", "gp": "GPSampler", "qmc": "QMCSampler", "random": "RandomSampler"}
PRUNERS = {"none": "NopPruner", "median": "MedianPruner", "wilcoxon": "WilcoxonPruner"}
JOURNAL = "search.log"


@dataclass(frozen=True)
class Goal:
    """What is searched for: a glued ``value`` to be maximized, or minimized, and by which sampler and pruner."""

    sampler: str
    value: str
    maximize: bool = True
    pruner: str = "none"

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS or self.pruner not in PRUNERS:
            raise SweepError(
                f"search = {self.sampler}, pruner = {self.pruner}: expected one of {', '.join(SAMPLERS)}, and one of "
                f"{', '.join(PRUNERS)}"
            )
        if importlib.util.find_spec("optuna") is None:
            raise SweepError(f"a search needs optuna, which this Python has not: {INSTALL}")


@dataclass(frozen=True)
class Search:
    """A search that can begin.

    Attributes:
        drawn: the distributions that a trial draws from.
        runs: the combinations of the listed values; a trial runs all of them, and its value is their mean.
        trials: how many there are in the end, with those of earlier commands.
        seed: of the sampler.
        point: what makes a point of values.
        name: of the study in the journal: the code, the distributions, the lists and the value, so that only the same
            search is continued.
    """

    goal: Goal
    drawn: Mapping[str, Distribution]
    runs: Sequence[Combination]
    trials: int
    seed: int
    point: Callable[[dict[str, object]], Point]
    name: str

    def study(self, folder: Folder) -> "optuna.Study":
        """Open the study in the folder's journal; whoever does so must be alone there."""
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        file = folder.path / JOURNAL
        file.with_name(f"{JOURNAL}.lock").unlink(missing_ok=True)  # of one that was killed: nobody else is here
        if file.exists():  # nor is what it had half written
            whole = file.read_bytes()
            file.write_bytes(whole[: whole.rfind(b"\n") + 1])
        storage = JournalStorage(JournalFileBackend(str(file)))
        direction = "maximize" if self.goal.maximize else "minimize"
        study = optuna.create_study(storage=storage, study_name=self.name, direction=direction, load_if_exists=True)
        # A sampler that began with the same seed again would repeat its first draws.
        seed = self.seed + len(study.get_trials(deepcopy=False))
        with warnings.catch_warnings():  # some of both may change with a release of Optuna
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.sampler = getattr(optuna.samplers, SAMPLERS[self.goal.sampler])(seed=seed)
            study.pruner = getattr(optuna.pruners, PRUNERS[self.goal.pruner])()
        return study

    def draw(self, trial: "optuna.Trial") -> Combination:
        """Let the sampler choose the values of a trial."""
        return self.again({name: self._suggested(trial, name, one) for name, one in self.drawn.items()})

    def again(self, parameters: Mapping[str, object]) -> Combination:
        """Return the values of a trial from what the study has of it."""
        return {name: _value(one, parameters[name]) for name, one in self.drawn.items()}

    def points(self, drawn: Combination) -> list[Point]:
        """Return the points of a trial."""
        return [self.point({**drawn, **run}) for run in self.runs]

    @staticmethod
    def _suggested(trial: "optuna.Trial", name: str, one: Distribution) -> object:
        if one.kind == "choice":
            return trial.suggest_categorical(name, [json.dumps(value) for value in one.arguments])
        low, high = one.arguments
        if one.kind == "integers":
            return trial.suggest_int(name, low, high - 1)
        return trial.suggest_float(name, low, high, log=one.kind == "log")


def make_search(
    notebook: Notebook,
    package: str,
    grid: Mapping[str, object],
    goal: Goal,
    trials: int | None,
    seed: int = 0,
    choice: Choice = EVERYTHING,
) -> Search:
    """Check a search, of whose parameters those with a distribution are searched, and the others crossed.

    Raises:
        SweepError: nothing is to be searched, the number of trials is missing, or as
            :func:`physnn.lab.sweeping.grid.points`.
    """
    axes, problems = {}, []
    for name, given in grid.items():
        try:
            axes[name] = known_axis(name, given, notebook)
            if isinstance(axes[name], Distribution):
                _check_ends(name, axes[name], notebook)
        except (SweepError, ParameterError) as error:
            problems.append(str(error))
    drawn = {name: one for name, one in axes.items() if isinstance(one, Distribution)}
    if not problems and not drawn:
        problems.append("a search needs a parameter with a distribution such as log(1e-3,1)")
    if trials is None or trials < 1:
        problems.append(f"a search needs a number of trials; add --trials N (trials=N), at least 1, got {trials}")
    if problems:
        raise SweepError("\n".join(problems))
    lists = {name: one for name, one in axes.items() if name not in drawn}
    crossed = factors(lists, choice, notebook.contract, drawn)
    count(crossed, trials)
    runs = list(combinations(crossed, left_out(choice, notebook.contract)))
    if not runs:
        raise SweepError("no point is left; --exclude leaves out all of them")
    space = {name: [one.kind, list(one.arguments)] for name, one in drawn.items()}
    content = json.dumps([notebook.digest, package, space, runs, goal.value, goal.maximize], sort_keys=True)
    name = hashlib.sha256(content.encode()).hexdigest()[:20]
    return Search(goal, drawn, runs, trials, seed, namer(notebook, package), name)


def _value(one: Distribution, given: object) -> object:
    if one.kind == "choice":
        return json.loads(given)
    return given if one.kind == "integers" else one.short(given)


def _check_ends(name: str, one: Distribution, notebook: Notebook) -> None:
    if one.kind != "choice":
        low, high = one.arguments
        for end in (low, high - 1 if one.kind == "integers" else high):
            cast(end, notebook.contract[name])
