"""Whether the workers of a cluster can run a sweep: each is asked once, before a run is handed out."""

from collections.abc import Sequence
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
        later = bool(self._asked)
        try:
            threads = self.client.nthreads()
            new = sorted(threads.keys() - self._asked)
            wrong = self._ask(new, later) if new else []
        except OSError as error:
            raise lost(self.client) from error
        if wrong:
            others = f" ({len(wrong) - 1} more do not fit)" if wrong[1:] else ""
            raise (ConnectionError if later else ClusterError)(wrong[0] + others)
        return sum(threads.values())

    def _ask(self, workers: Sequence[str], later: bool) -> list[str]:
        """Say what is wrong with workers. One that does not answer is asked again, if it is still there."""
        wrong = []
        if not later and (lacking := self.client.run_on_scheduler(eval, _lacking(OF_SCHEDULER))):
            wrong.append(_lacks(f"scheduler {self.client.scheduler.address}", lacking))
        told = self.client.run(eval, _lacking(OF_WORKER), workers=workers, on_error="return")
        wrong += [_lacks(f"worker {worker}", lacking) for worker, lacking in told.items() if _answers(lacking)]
        whole = [worker for worker, lacking in told.items() if lacking == []]
        text, folder = self._notebook.text, self._notebook.path.parent
        for worker, package in self.client.run(made_from, text, folder, workers=whole, on_error="return").items():
            if package == self._package:
                self._asked.add(worker)
            elif _answers(package):
                wrong.append(
                    f"what the notebook imports on the worker {worker} is not the physnn, or the folder, that this "
                    "sweep began with; start the worker with the same ones"
                )
        return wrong


def _answers(told: object) -> bool:
    """Tell whether something was said that is not a lost connection."""
    return bool(told) and not isinstance(told, OSError)


def _lacking(packages: Sequence[str]) -> str:
    """Return an expression for those that a Python lacks; it can be read where physnn is not installed."""
    return f"[name for name in {packages} if __import__('importlib.util').util.find_spec(name) is None]"


def _lacks(who: str, packages: Sequence[str]) -> str:
    return f"the {who} lacks {', '.join(packages)}: {INSTALL}"
