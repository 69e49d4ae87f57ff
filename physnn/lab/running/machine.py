"""What this machine gives a process."""


def cores() -> int:
    """Return how many cores this process may use: by its affinity (``taskset``) and its control group.

    The variable ``LOKY_MAX_CPU_COUNT`` lowers it.
    """
    from joblib import cpu_count  # takes half a second, and most commands do not ask

    return cpu_count()
