"""Dask workers: processes of this machine, or a cluster that is already there."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from distributed import CancelledError, Client, Future, LocalCluster, Security, TimeoutError, get_worker, wait

from physnn.lab.running import worker
from physnn.lab.running.machine import cores
from physnn.lab.running.where import ClusterError

PATIENCE = 30  # seconds
OF_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",  # it would look at what runs a hundred times a second
    "DASK_LOGGING__DISTRIBUTED": "critical",
}


@contextmanager
def local(workers: int | None = None) -> Iterator[Client]:
    """Start worker processes on this machine, one per core by default, out of reach of the network.

    They import nothing of the script that starts them, and Ctrl-C reaches the script alone. One that is killed, as the
    system does when memory runs out, is replaced.

    Raises:
        ClusterError: no worker can start.
    """
    with (
        LocalCluster(
            n_workers=0,
            host="127.0.0.1",
            dashboard_address=None,
            # Without it the scheduler tries port 8787, and a second driver warns that it is taken.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
        ) as scheduler,
        Client(scheduler) as client,
        _crew(client, workers or cores()),
    ):
        yield client


@contextmanager
def _crew(client: Client, count: int) -> Iterator[None]:
    """Start workers of a client's scheduler; as soon as one has joined, replace those that end."""
    command = [sys.executable, "-P", worker.__file__, client.scheduler.address, json.dumps(sys.path)]
    environment = {**os.environ, **OF_ONE_THREAD, **QUIET}

    def start() -> subprocess.Popen:
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)

    processes, closing = [], threading.Event()

    def replace() -> None:
        while not closing.wait(0.1):
            for place, process in enumerate(processes):
                if process.poll() is not None:
                    process.communicate()
                    processes[place] = start()

    replacing = threading.Thread(target=replace, daemon=True)
    try:
        processes += [start() for _ in range(count)]
        while not slots(client):
            if all(process.poll() is not None for process in processes):
                raise ClusterError(f"{count} workers ended before they began; above is what they said")
            time.sleep(0.02)
        replacing.start()
        yield
    finally:
        closing.set()
        if replacing.ident:
            replacing.join()
        for process in processes:
            process.kill()
            process.communicate()


@contextmanager
def remote(
    address: str | None = None,
    scheduler_file: str | Path | None = None,
    *,
    tls_ca_file: str | Path | None = None,
    tls_cert: str | Path | None = None,
    tls_key: str | Path | None = None,
) -> Iterator[Client]:
    """Connect to the scheduler at ``address``, or to the one that wrote ``scheduler_file``.

    The TLS files are those of ``dask worker --tls-ca-file --tls-cert --tls-key``.

    Raises:
        ClusterError: nothing answers there, or a file is missing.
    """
    where = address or scheduler_file
    files = {"tls_ca_file": tls_ca_file, "tls_client_cert": tls_cert, "tls_client_key": tls_key}
    given = {name: str(path) for name, path in files.items() if path}
    try:
        for path in given.values():
            open(path).close()
        if scheduler_file:
            address = _await(Path(scheduler_file))
        security = Security(require_encryption=True, **given) if given else None
        client = Client(address, security=security, timeout=PATIENCE)
    except (OSError, TypeError, ValueError) as error:
        raise ClusterError(
            f"no connection to the Dask scheduler {where}: {error}. Expected a running one: dask scheduler; "
            "with TLS, an address tls://HOST:PORT and --tls-ca-file, --tls-cert, --tls-key"
        ) from error
    # Of a lost scheduler we speak ourselves.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with client:
        yield client


def _await(file: Path) -> str:
    """Wait for a scheduler that was started a moment ago to write its file, to the end; return its address."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return str(json.loads(file.read_bytes())["address"])
        except FileNotFoundError:
            missing = "it did not appear"
        except (ValueError, KeyError, TypeError):
            missing = "it has no address of a scheduler: nobody has written the whole of it"
        if time.monotonic() > end:
            raise ValueError(f"{missing} within {PATIENCE} s")
        time.sleep(0.1)


def slots(client: Client) -> int:
    """Count the tasks for which the cluster has room.

    Raises:
        ConnectionError: the scheduler was lost.
    """
    try:
        return sum(client.nthreads().values())
    except OSError as error:
        raise lost(client) from error


def ended(futures: Sequence[Future], patience: float) -> list[Future]:
    """Wait until one of the futures has ended, or for ``patience`` seconds; return those that have."""
    with suppress(TimeoutError, CancelledError):
        wait(futures, timeout=patience, return_when="FIRST_COMPLETED")
    return [future for future in futures if future.status != "pending"]


def lost(client: Client) -> ConnectionError:
    """Return the error to raise when the scheduler is gone, or has cancelled what was asked for."""
    return ConnectionError(f"the Dask scheduler {client.scheduler.address} went away, or cancelled the runs")


def wanted() -> bool:
    """Tell, on a worker, whether somebody waits for the running task: not after its driver was interrupted or lost."""
    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is not None and task.state != "cancelled"
