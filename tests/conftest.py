"""One thread and no display for every test, and for the processes a test starts."""

import os

# Before torch is imported, and without importing it: many tests do not need it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
