"""The style of the house for every figure that is tested, and none left open."""

import matplotlib as mpl
import pytest

mpl.use("agg")

from matplotlib import pyplot as plt  # after the backend is chosen

from physnn.lab.figures import plots


@pytest.fixture(autouse=True)
def house_style():
    with mpl.rc_context():
        plots.style()
        yield
    plt.close("all")
