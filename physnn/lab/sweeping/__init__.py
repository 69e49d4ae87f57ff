"""A parameterized notebook over a grid of parameters, on this machine or on a Dask cluster.

``drive`` runs the sweep: ``notebook`` reads the contract, ``grid`` makes the points, ``cluster`` finds the workers,
``point`` runs on them, ``store`` keeps what they give, ``report`` shows it.
"""
