"""The options of a command that say where its processes run, and what they open."""

import argparse
import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client


INSTALL = 'pip install "physnn[sweep] @ git+https://github.com/physnn/physnn"'


class ClusterError(ValueError):
    """Processes cannot be started or reached, or are not as they must be."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``, ``--scheduler``, ``--scheduler-file`` and the files for TLS."""
    where = parser.add_argument_group("where (default: processes of this machine)")
    one = where.add_mutually_exclusive_group().add_argument
    one("--workers", type=int, metavar="N", help="how many processes of this machine (default: one per core)")
    one("--scheduler", metavar="ADDRESS", help="a Dask scheduler, such as tcp://HOST:8786")
    one("--scheduler-file", type=Path, metavar="FILE", help="the file that a Dask scheduler wrote its address to")
    for name, meaning in (("ca-file", "authority's certificate"), ("cert", "certificate"), ("key", "key")):
        where.add_argument(f"--tls-{name}", type=Path, metavar="PEM", help=f"the {meaning}, for a scheduler with TLS")


def elsewhere(options: argparse.Namespace) -> bool:
    """Tell whether the options name a scheduler."""
    return bool(options.scheduler or options.scheduler_file)


def connection(options: argparse.Namespace) -> "Callable[[], AbstractContextManager[Client]]":
    """Return what opens the client; it is called only if something has to run.

    Raises:
        ClusterError: the options do not fit together.
    """
    tls = {"tls_ca_file": options.tls_ca_file, "tls_cert": options.tls_cert, "tls_key": options.tls_key}
    if any(tls.values()) and not elsewhere(options):
        raise ClusterError("--tls-... is for a --scheduler or --scheduler-file; processes of this machine need none")
    if options.workers is not None and options.workers < 1:
        raise ClusterError(f"--workers must be at least 1, got {options.workers}")

    def connect() -> "AbstractContextManager[Client]":
        if not elsewhere(options):
            return here(options.workers)
        _need_dask()
        from physnn.lab.running.cluster import remote

        return remote(options.scheduler, options.scheduler_file, **tls)

    return connect


def here(workers: int | None = None) -> "AbstractContextManager[Client]":
    """Return what starts processes of this machine, one per core by default: :func:`physnn.lab.running.cluster.local`.

    Raises:
        ClusterError: Dask is not installed.
    """
    _need_dask()
    from physnn.lab.running.cluster import local  # who trains in one process, or has nothing to run, needs no Dask

    return local(workers)


def _need_dask() -> None:
    if importlib.util.find_spec("distributed") is None:
        raise ClusterError(f"several processes need distributed, which this Python has not: {INSTALL}")
