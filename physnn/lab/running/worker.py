"""A Dask worker of one thread, as :func:`physnn.lab.running.cluster.local` starts it: ``worker.py ADDRESS FOLDERS``.

It imports from the FOLDERS of who started it, and ends with it, which holds the other end of its standard input.
"""

import asyncio
import json
import os
import sys
import threading


async def work(address: str) -> None:
    """Serve the scheduler at ``address`` until it closes this worker."""
    from distributed import Worker  # from the folders, which are known by now

    # Its memory is that of what runs, which nobody else limits either.
    async with Worker(address, nthreads=1, host="127.0.0.1", memory_limit=0, dashboard=False) as worker:
        await worker.finished()


def leave_with_parent() -> None:
    """End this process when the one that started it is gone, however it went: nobody would take its results."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=leave_with_parent, daemon=True).start()
    sys.path[:] = json.loads(sys.argv[2])
    asyncio.run(work(sys.argv[1]))
