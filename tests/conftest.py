"""One thread and no display for every test, and for the processes a test starts."""

import os
import signal

# Before torch is imported, and without importing it: many tests do not need it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Started in the background of a shell, the tests are deaf to Ctrl-C, and so would be all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
