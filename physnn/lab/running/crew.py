"""Whether the workers of a cluster can do what they shall: each is asked once, before anything is handed out."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from physnn.lab.running.cluster import lost
from physnn.lab.running.where import INSTALL, ClusterError

if TYPE_CHECKING:
    from distributed import Client


class Crew:
    """The workers of a client, and which of them have been asked.

    Args:
        of_scheduler: packages that the scheduler needs: it reads the names of what a worker shall call.
        of_worker: packages that every worker needs.
        check: what else is asked of workers that have these: given their addresses, it returns what is wrong with each,
            "" for nothing; without an entry for one that did not answer.
    """

    def __init__(
        self,
        client: "Client",
        of_scheduler: Sequence[str],
        of_worker: Sequence[str],
        check: Callable[[list[str]], dict[str, str]] = lambda workers: dict.fromkeys(workers, ""),
    ) -> None:
        self.client, self._check = client, check
        self._of_scheduler, self._of_worker = tuple(of_scheduler), tuple(of_worker)
        self._asked: set[str] = set()

    def room(self) -> int:
        """Count the tasks for which the workers have room, after asking those that are new.

        Raises:
            ClusterError: the scheduler or one of the first workers lacks a package, or is wrong otherwise.
            ConnectionError: a worker that joined later is, or the scheduler was lost.
        """
        later = bool(self._asked)
        try:
            threads = self.client.nthreads()
            new = sorted(threads.keys() - self._asked)
            wrong = list(self._ask(new, later)) if new else []
        except OSError as error:
            raise lost(self.client) from error
        if wrong:
            others = f" ({len(wrong) - 1} more do not fit)" if wrong[1:] else ""
            raise (ConnectionError if later else ClusterError)(wrong[0] + others)
        return sum(threads.values())

    def _ask(self, workers: Sequence[str], later: bool) -> Iterable[str]:
        """Say what is wrong with workers. One that does not answer is asked again, if it is still there."""
        if not later and (lacking := self.client.run_on_scheduler(eval, _lacking(self._of_scheduler))):
            yield _lacks(f"scheduler {self.client.scheduler.address}", lacking)
        told = self.client.run(eval, _lacking(self._of_worker), workers=workers, on_error="return")
        yield from (_lacks(f"worker {worker}", some) for worker, some in told.items() if answers(some) and some)
        for worker, wrong in self._check([worker for worker, lacking in told.items() if lacking == []]).items():
            if wrong:
                yield wrong
            else:
                self._asked.add(worker)


def answers(told: object) -> bool:
    """Tell whether a worker said something, and its connection was not lost."""
    return not isinstance(told, OSError)


def _lacking(packages: Sequence[str]) -> str:
    """Return an expression for those that a Python lacks; it can be read where physnn is not installed."""
    return f"[name for name in {packages} if __import__('importlib.util').util.find_spec(name) is None]"


def _lacks(who: str, packages: Sequence[str]) -> str:
    return f"the {who} lacks {', '.join(packages)}: {INSTALL}"
