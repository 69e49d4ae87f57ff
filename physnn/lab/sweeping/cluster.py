"""The workers of a sweep: processes of this machine, or a Dask cluster that is already there."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client, LocalCluster, Security

from physnn.lab.sweeping.notebook import SweepError

PATIENCE = 30  # seconds


@contextmanager
def local(workers: int | None = None) -> Iterator[Client]:
    """Start worker processes on this machine, one per core by default, out of reach of the network."""
    with (
        LocalCluster(
            n_workers=workers or os.cpu_count(),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            # Without it the scheduler tries port 8787, and a second sweep warns that it is taken.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            memory_limit=0,  # the memory is that of the runs, in processes of their own
            silence_logs=logging.CRITICAL,
            preload=["physnn.lab.sweeping.undisturbed"],
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


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
        SweepError: nothing answers there, or a file is missing.
    """
    where = address or scheduler_file
    files = {"tls_ca_file": tls_ca_file, "tls_client_cert": tls_cert, "tls_client_key": tls_key}
    given = {name: str(path) for name, path in files.items() if path}
    try:
        for path in given.values():
            open(path).close()
        if scheduler_file:
            _await(Path(scheduler_file))
        security = Security(require_encryption=True, **given) if given else None
        connection = {"address": address} if address else {"scheduler_file": str(scheduler_file)}
        client = Client(**connection, security=security, timeout=PATIENCE)
    except (OSError, TypeError, ValueError) as error:
        raise SweepError(
            f"no connection to the Dask scheduler {where}: {error}. Expected a running one: dask scheduler; "
            "with TLS, an address tls://HOST:PORT and --tls-ca-file, --tls-cert, --tls-key"
        ) from error
    # Of a lost scheduler the sweep speaks itself.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with client:
        yield client


def _await(file: Path) -> None:
    """Wait for a scheduler that was started a moment ago to write its file."""
    end = time.monotonic() + PATIENCE
    while not file.exists():
        if time.monotonic() > end:
            raise FileNotFoundError(f"it did not appear within {PATIENCE} s")
        time.sleep(0.1)
