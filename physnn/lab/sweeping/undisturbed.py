"""Loaded by every worker of this machine. Ctrl-C reaches the whole terminal; it is for the driver, which ends them."""

import signal


def dask_setup(worker: object) -> None:
    """Ignore the signal, in the worker's main thread, where Dask calls this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
