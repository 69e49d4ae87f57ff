"""The trials of a search as they run: which point is next, what a trial has reached, and what is best."""

import math
from collections import deque
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING

from physnn.lab.sweeping.grid import Point
from physnn.lab.sweeping.numbers import estimate
from physnn.lab.sweeping.search import Search

if TYPE_CHECKING:
    import optuna

AGAIN = "again"  # in the study: numbers of trials that a later one repeats
NOT_FINITE = "not finite"  # in a trial that failed although its points are done


class Running:
    """A trial under way: its points that wait, and the values of those that are done, by their place."""

    def __init__(self, trial: "optuna.Trial", points: list[Point]) -> None:
        self.trial, self.points = trial, points
        self.waiting, self.values = deque(points), {}
        self.out: set[str] = set()  # names of the points that run


class Trials:
    """Supplies the points of a search, a trial after the other, and tells the study what they have reached.

    With a pruner a trial runs one point after the other, so that it can be given up after each; without one it runs
    all of them at once. Trials that a killed or failed command has left are repeated first, with the values they had.

    Args:
        points: the points of all trials so far; those of new ones are added.
    """

    def __init__(self, search: Search, study: "optuna.Study", points: list[Point], retry_failed: bool = True) -> None:
        from optuna.trial import TrialState

        self._search, self._study, self._points = search, study, points
        self._known = {point.name for point in points}
        self._one_by_one = search.goal.pruner != "none"
        self._running: list[Running] = []
        self._told: set[int] = set()
        again = set(study.user_attrs.get(AGAIN, []))
        for trial in study.get_trials(deepcopy=False):
            if trial.number in again or trial.state == TrialState.WAITING:
                continue
            stopped = trial.state == TrialState.RUNNING
            failed = trial.state == TrialState.FAIL and NOT_FINITE not in trial.user_attrs
            if stopped or (failed and retry_failed):
                again.add(trial.number)
                study.enqueue_trial(trial.params)
                study.set_user_attr(AGAIN, sorted(again))
                if stopped:
                    study.tell(trial.number, state=TrialState.FAIL)
        self._again = again

    def left(self) -> int:
        """Return how many trials have not begun."""
        from optuna.trial import TrialState

        begun = [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state != TrialState.WAITING and trial.number not in self._again
        ]
        return max(0, self._search.trials - len(begun))

    def over(self) -> bool:
        """Tell whether no point will come any more."""
        return not self._running and not self.left()

    def total(self) -> int:
        """Return how many points there will be, if no trial is given up from now on."""
        return len(self._points) + len(self._search.runs) * self.left() + sum(len(one.waiting) for one in self._running)

    def next(self, rows: Mapping[str, dict]) -> Point | None:
        """Return the next point to run, None where there is none before others have ended; ``rows`` are done."""
        while True:
            for one in self._running:
                while one.waiting and not (self._one_by_one and one.out):
                    point = one.waiting.popleft()
                    self._add(point)
                    if point.name in rows:
                        self._got(one, point, rows[point.name])
                        continue
                    runs = any(point.name in other.out for other in self._running)  # for another trial already
                    one.out.add(point.name)
                    if not runs:
                        return point
            self._running = [one for one in self._running if one.waiting or one.out]
            if not self.left():
                return None
            trial = self._study.ask()
            self._running.append(Running(trial, self._search.points(self._search.draw(trial))))

    def got(self, point: Point, row: dict) -> None:
        """Take the row of a point that has ended."""
        for one in self._running:
            if point.name in one.out:
                one.out.discard(point.name)
                self._got(one, point, row)
        self._running = [one for one in self._running if one.waiting or one.out]

    def _got(self, one: Running, point: Point, row: dict) -> None:
        from optuna.trial import TrialState

        goal, place = self._search.goal, [each.name for each in one.points].index(point.name)
        if one.trial.number in self._told:
            return
        value = estimate(row["values"].get(goal.value)) if row["status"] == "done" else None
        if value is None:
            if row["status"] == "done":
                one.trial.set_user_attr(NOT_FINITE, point.name)
            self._tell(one, state=TrialState.FAIL)
            return
        one.values[place] = value.value
        mean = fmean(one.values.values())
        # Wilcoxon's compares run with run, the other the means so far.
        one.trial.report(*((value.value, place) if goal.pruner == "wilcoxon" else (mean, len(one.values))))
        if len(one.values) == len(one.points):
            self._tell(one, mean)
        elif self._one_by_one and one.trial.should_prune():
            self._tell(one, state=TrialState.PRUNED)

    def _tell(self, one: Running, value: float | None = None, **state: object) -> None:
        self._study.tell(one.trial, value, **state)
        self._told.add(one.trial.number)
        one.waiting.clear()

    def _add(self, point: Point) -> None:
        if point.name not in self._known:
            self._known.add(point.name)
            self._points.append(point)


def best(search: Search, study: "optuna.Study") -> str:
    """Say which trial is best, and what that is worth."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE and math.isfinite(trial.value)]
    pruned = sum(trial.state == TrialState.PRUNED for trial in trials)
    if not done:
        return f"No trial of the search has come to its end; {pruned} were given up early."
    found = (max if search.goal.maximize else min)(done, key=lambda trial: trial.value)
    point = search.points(search.again(found.params))[0]
    values = ", ".join(f"{name} = {point.parameters[name]}" for name in search.drawn)
    what = "largest" if search.goal.maximize else "smallest"
    told = f"The {what} {search.goal.value} of {len(done)} trials is {found.value:.6g}"
    told += f", the mean of {len(search.runs)} runs" if len(search.runs) > 1 else ""
    told += f", with {values}."
    told += f" {pruned} more trials were given up early." if pruned else ""
    return (
        f"{told} It was chosen for this number, which flatters it: run it again with other seeds before you quote it."
    )


def earlier(search: Search, study: "optuna.Study") -> list[Point]:
    """Return the points of the trials that a study has already, each once."""
    found = {}
    for trial in study.get_trials(deepcopy=False):
        if set(trial.params) == set(search.drawn):
            found |= {point.name: point for point in search.points(search.again(trial.params))}
    return list(found.values())
