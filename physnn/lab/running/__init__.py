"""Processes that run parts of an experiment, on this machine or on a Dask cluster, for studies and sweeps alike."""
