"""Whether the workers of a cluster can run a sweep: each is asked once, before a run is handed out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from physnn.lab.running.cluster import lost
from physnn.lab.running.where import INSTALL, ClusterError
from physnn.lab.sweeping.notebook import Notebook, made_from

if TYPE_CHECKING:
    from distributed import Client

OF_SCHEDULER = ("physnn", "nbformat")  # it reads the name of what a worker shall call
OF_WORKER = (*OF_SCHEDULER, "papermill", "ipykernel")


class Crew:
    """The workers of a client, and which of them have been asked.

    Args:
        package: the digest of what the notebook imports here.
    """

    def __init__(self, client: "Client", notebook: Notebook, package: str) -> None:
        self.client, self._notebook, self._package = client, notebook, package
        self._asked: set[str] = set()

    def room(self) -> int:
        """Count the runs for which the workers have room, after asking those that are new.

        Raises:
            ClusterError: the scheduler or one of the first workers lacks a package, or has another physnn.
            ConnectionError: a worker that joined later does, or the scheduler was lost.
        """
        try:
            threads = self.client.nthreads()
            new = sorted(threads.keys() - self._asked)
            wrong = list(self._wrong(new)) if new else []
        except OSError as error:
            raise lost(self.client) from error
        if wrong:
            others = f" ({len(wrong) - 1} more are wrong)" if wrong[1:] else ""
            raise (ConnectionError if self._asked else ClusterError)(wrong[0] + others)
        self._asked.update(new)
        return sum(threads.values())

    def _wrong(self, workers: Sequence[str]) -> Iterator[str]:
        """Say what is wrong with workers; one that is lost meanwhile answers with an error of the connection."""
        if not self._asked and (lacking := self.client.run_on_scheduler(eval, _lacking(OF_SCHEDULER))):
            yield _lacks(f"scheduler {self.client.scheduler.address}", lacking)
        told = self.client.run(eval, _lacking(OF_WORKER), workers=workers, on_error="return")
        whole = []
        for worker, lacking in told.items():
            if lacking and not isinstance(lacking, OSError):
                yield _lacks(f"worker {worker}", lacking)
            elif not lacking:
                whole.append(worker)
        folder = self._notebook.path.parent
        told = self.client.run(made_from, self._notebook.text, folder, workers=whole, on_error="return")
        for worker, package in told.items():
            if package != self._package and not isinstance(package, OSError):
                yield (
                    f"what the notebook imports on the worker {worker} is not the physnn, or the folder, that this "
                    "sweep began with; start the worker with the same ones"
                )


def _lacking(packages: Sequence[str]) -> str:
    """Return an expression for those that a Python lacks; it can be read where physnn is not installed."""
    return f"[name for name in {packages} if __import__('importlib.util').util.find_spec(name) is None]"


def _lacks(who: str, packages: Sequence[str]) -> str:
    return f"the {who} lacks {', '.join(packages)}: {INSTALL}"
