"""The contract of a notebook's parameters: what is wrong stops the notebook, and says so."""

import pytest

from physnn.lab.chapter.contract import ParameterError, declarations, parameters_of

CELL = """\
data: str = "mnist"      # the images, in {mnist, digits}
epochs: int = 10         # passes over the training images, in [1, 1000]
lr: float = 0.1          # learning rate, in (0, 100]
widths: list[int] = [8]  # hidden sizes, in [1, inf)
quick: bool = False      # whether to skip the slow part, in {True, False}
"""
DEFAULTS = {"data": "mnist", "epochs": 10, "lr": 0.1, "widths": [8], "quick": False}


def run(injected=None, cell=CELL, **values):
    """As after running the set-up cell, the parameters cell and papermill's injected cell."""
    history = ["", "import torch", cell]
    if injected is not None:
        history.append("# Parameters\n" + injected)
    return parameters_of([*history, "with parameters() as p: ..."], {**DEFAULTS, **values})


def test_values_are_read_as_attributes():
    with run(lr=1, widths=(3, 4)) as p:
        values = (p.data, p.epochs, p.lr, p.widths, p.quick)
    assert values == ("mnist", 10, 1.0, [3, 4], False)
    assert isinstance(p.lr, float)
    assert p.as_dict() == {"data": "mnist", "epochs": 10, "lr": 1.0, "widths": [3, 4], "quick": False}
    with pytest.raises(AttributeError, match="'epoch'; this notebook has data, epochs"):
        p.epoch  # noqa: B018


def test_the_declarations_are_what_a_page_needs():
    line = declarations(CELL)["lr"]
    assert (line.type, line.default, line.meaning, line.limits) == ("float", 0.1, "learning rate", "(0, 100]")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epochs": 0}, r"epochs = 0 is not in \[1, 1000\] \(passes over the training images\)"),
        ({"lr": 0.0}, r"lr = 0.0 is not in \(0, 100\]"),
        ({"lr": float("nan")}, "lr = nan is not in"),
        ({"epochs": 3.0}, "epochs = 3.0 is a float, expected int"),
        ({"epochs": True}, "epochs = True is a bool, expected int"),
        ({"quick": 1}, "quick = 1 is a int, expected bool"),
        ({"data": "cifar"}, r"data = 'cifar' is not in \{mnist, digits\}"),
        ({"widths": [8, 0]}, r"widths = \[8, 0\] is not in \[1, inf\)"),
        ({"widths": "[8, 4]"}, r"widths = '\[8, 4\]' is a str, expected list\[int\]; papermill's -p passes text"),
    ],
)
def test_wrong_values_stop_the_notebook(values, said):
    with pytest.raises(ParameterError, match=said):
        run(**values)


def test_an_injected_name_that_is_unknown_stops_the_notebook():
    assert run("epochs = 10\n").as_dict() == DEFAULTS
    with pytest.raises(ParameterError, match=r"unknown parameter 'epoch'; this notebook has .*did you mean epochs\?"):
        run("epoch = 10\n")


def test_an_unread_parameter_stops_the_notebook():
    with pytest.raises(ParameterError, match="never read, so changing it would change nothing: data, quick"):
        with run() as p:
            _ = p.epochs, p.lr, p.widths
    with pytest.raises(ZeroDivisionError), run():  # an error inside is not hidden by this one
        1 / 0  # noqa: B018


def test_the_latest_parameters_cell_counts():
    """A reader edits the cell in place and runs it again."""
    edited = CELL.replace("10  ", "20  ")
    p = parameters_of(
        [CELL, "# Parameters\nnot_known = 1", edited, "with parameters() as p: ..."], {**DEFAULTS, "epochs": 20}
    )
    assert p.epochs == 20


@pytest.mark.parametrize(
    "line",
    [
        "epochs = 10  # passes, in [1, 100]",
        "epochs: int = 10",
        "epochs: int = 10  # passes",
        "epochs: int = 5 * 2  # passes, in [1, 100]",
        "epochs: complex = 10  # passes, in [1, 100]",
        "epochs: int  # passes, in [1, 100]",
        "epochs: int = 10  # passes, in [1, nan]",
        "epochs: int = 0  # passes, in [1, 100]",
    ],
)
def test_a_malformed_line_is_named(line):
    with pytest.raises(ParameterError, match="epochs"):
        declarations(line)


def test_no_parameters_cell():
    with pytest.raises(ParameterError, match="no parameters cell was run"):
        parameters_of(["x: int = 3", "%matplotlib inline"], {})
