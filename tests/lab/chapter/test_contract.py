"""The contract of a notebook's parameters: what is wrong stops the notebook, and says so."""

import nbformat
import pytest
import yaml
from papermill.parameterize import parameterize_notebook

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
        ({"widths": [8, "x"]}, r"widths = \[8, 'x'\] has 'x', which is a str, expected list\[int\]"),
        ({"lr": 10**400}, "is not in"),
        ({"lr": "0.5"}, "'0.5' is a str, expected float; papermill's -p passes text for it, use -y or -f"),
        ({"lr": "1_0e1"}, "'1_0e1' is a str, expected float"),
        ({"lr": "1e400"}, "'1e400' is a str, expected float"),
        ({"epochs": "15e-1"}, "'15e-1' is a str, expected int"),
        ({"quick": "true"}, "'true' is a str, expected bool; papermill's -p passes text"),
        ({"widths": "[8, 4]"}, r"widths = '\[8, 4\]' is a str, expected list\[int\]; papermill's -p passes text"),
    ],
)
def test_wrong_values_stop_the_notebook(values, said):
    with pytest.raises(ParameterError, match=said):
        run(**values)


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        ("float", "1e-3", 0.001),
        ("float", "1E+1", 10.0),
        ("int", "1e3", 1000),
        ("list[float]", "[1e-3, 1e-2, 1]", [0.001, 0.01, 1.0]),
        ("str", "1e-3", "1e-3"),
    ],
)
def test_what_papermill_takes_for_text_is_the_number_it_is(kind, given, read):
    """Papermill's -y and -f read YAML 1.1, to which 1e-3 is a text."""
    default, limits = {"str": ('"1e-3"', "{1e-3}"), "list[float]": ("[1.0]", "[0, inf]")}.get(kind, ("1", "[0, inf]"))
    cell = f"lr: {kind} = {default}  # rate, in {limits}"
    found = parameters_of([cell], {"lr": yaml.safe_load(given)}).as_dict()["lr"]
    assert (found, type(found)) == (read, type(read))


def test_papermill_keeps_old_parameters_only_where_it_is_given_none():
    """As the page on rerunning says: with a new one, the others are the defaults again."""
    new = nbformat.v4
    notebook = new.new_notebook(cells=[new.new_code_cell(CELL, metadata={"tags": ["parameters"]})])
    notebook.metadata = {"kernelspec": {"name": "python3", "language": "python"}, "papermill": {}}

    def injected(notebook, values):
        changed = parameterize_notebook(notebook, values) if values else notebook  # as papermill.execute does
        return changed, [cell.source for cell in changed.cells if "injected-parameters" in cell.metadata.tags]

    first, cells = injected(notebook, {"epochs": 3, "lr": 0.5})
    assert cells == ["# Parameters\nepochs = 3\nlr = 0.5\n"]
    assert injected(first, {})[1] == cells
    assert injected(first, {"lr": 0.2})[1] == ["# Parameters\nlr = 0.2\n"]


def test_an_int_beyond_a_float_is_said():
    with pytest.raises(ParameterError, match="is beyond what a float can hold"):
        parameters_of(["lr: float = 1  # rate, in [0, inf]"], {"lr": 10**400})


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
    ("line", "said"),
    [
        ("epochs = 10  # passes, in [1, 100]", "expected  name: type = literal"),
        ("epochs: int = 10", "expected  name: type = literal"),
        ("epochs: int = 10  # passes", "expected  name: type = literal"),
        ("epochs: int = 5 * 2  # passes, in [1, 100]", "derive values in the next cell"),
        ("epochs: int = {[]: 1}  # passes, in [1, 100]", "derive values in the next cell"),
        ("epochs: complex = 10  # passes, in [1, 100]", "types: int, float"),
        ("epochs: int  # passes, in [1, 100]", "expected  name: type = literal"),
        ("epochs: int = 10  # passes, in [1, nan]", r"'nan' in \[1, nan\] is not a number"),
        ("epochs: int = 10  # passes, in [1, 1_000]", "'1_000' in .* is not a number"),
        ("epochs: float = 1  # angle, in [0, 2*pi]", "'2\\*pi' in .* is not a number; write the number itself"),
        ("epochs: float = 1  # angle, in [a, b]", "'a' in .* is not a number; write the number itself"),
        ("epochs: int = 10  # passes, in [100, 1]", r"no int is in \[100, 1\]"),
        ("epochs: float = 1  # passes, in (1, 1)", r"no float is in \(1, 1\)"),
        ("epochs: int = 1  # passes, in (1, 2)", r"no int is in \(1, 2\)"),
        ("epochs: int = 0  # passes, in [1, 100]", r"its default 0 is not in \[1, 100\]"),
        ('epochs: int = "10"  # passes, in [1, 100]', "its default '10' is a str, expected int$"),
        ('epochs: float = "1e1"  # passes, in [1, 100]', "its default '1e1' is a str, expected float$"),
        ('epochs: list[int] = [1, "a"]  # passes, in [1, 100]', "has 'a', which is a str"),
        ("epochs: list[int] = [1, 0]  # passes, in [1, 100]", r"its default \[1, 0\] is not in"),
        ("epochs: list[int] = 1  # passes, in [1, 100]", r"its default 1 is a int, expected list\[int\]"),
        ('epochs: str = "ten"  # passes, in [1, 100]', r"\[1, 100\] is for numbers; write the choices of a str"),
        ("epochs: bool = True  # passes, in [0, 1]", "write the choices of a bool, such as {True, False}"),
        ("epochs: bool = True  # passes, in {True, maybe}", "'maybe' is not a bool"),
        ("epochs: int = 1  # passes, in {1, 2.5}", "'2.5' is not a int"),
        ("epochs: float = 1  # passes, in {1, 1e0}", "has 1e0 twice"),
        ("epochs: float = 1  # passes, in {1, nan}", "no float equals nan"),
        ('epochs: str = "ten"  # passes, in {"ten", "one"}', "is not a str; expected a text without quotes"),
        ('epochs: str = "ten"  # passes, in {ten,, one}', "has a comma with no choice beside it"),
        ("epochs: int = 1  # a, in [0, 5]\nepochs: int = 2  # b, in [0, 5]", "epochs is declared twice"),
        ("epochs: int = (  # passes, in [0, 5]", "the parameters cell cannot be read"),
        ("epochs: int = 1  # passes, in [0, 5]\x00", "the parameters cell cannot be read"),
        ("as_dict: int = 1  # passes, in [0, 5]", "cannot be read as p.as_dict"),
    ],
)
def test_a_malformed_line_is_named(line, said):
    with pytest.raises(ParameterError, match=said) as caught:
        declarations(line)
    assert line.split(":")[0].split()[0] in str(caught.value) or "cell cannot be read" in said


@pytest.mark.parametrize(
    ("line", "allowed", "refused"),
    [
        ("lr: float = 1e-3  # rate, in {1e-3, 1e-2}", [0.001, 0.01, "1e-2"], [0.1, 1]),
        ("n: int = 1000  # count, in {1e3, 1}", [1000, 1], [2]),
        ("n: int = 5  # count, in [1e0, 1e3]", [1, 1000], [0, 1001]),
        ("n: int = 9007199254740993  # count, in [9007199254740993, inf)", [10**400], [9007199254740992]),
        ("quick: bool = True  # whether, in {True}", [True], [False]),
        ("lr: list[float] = []  # rates, in (0, 1]", [[], [1, 0.5]], [[0.0]]),
    ],
)
def test_choices_and_ends_are_read_by_the_declared_type(line, allowed, refused):
    (declaration,) = declarations(line).values()
    for value in allowed:
        declaration.check(value)
    for value in refused:
        with pytest.raises(ParameterError, match="is not in"):
            declaration.check(value)


def test_no_parameters_cell():
    with pytest.raises(ParameterError, match="no parameters cell was run"):
        parameters_of(["x: int = 3", "%matplotlib inline"], {})


OPTIONAL = """\
decay: float | None = None     # weight decay, in [0, 1]
sizes: list[int] | None = [2]  # of layers, in [1, 9]
title: str = "plain"           # a heading, in {any text}
"""


def test_a_parameter_can_be_optional_and_a_text_free():
    given = {"decay": None, "sizes": None, "title": "a, {b}"}
    with parameters_of(["", OPTIONAL, "with parameters() as p: ..."], given) as p:
        assert (p.decay, p.sizes, p.title) == (None, None, "a, {b}")
    line = declarations(OPTIONAL)
    assert line["decay"].check(0) == 0.0 and isinstance(line["decay"].check(0), float)
    assert line["sizes"].check((3, 4)) == [3, 4]
    for name, value, said in (
        ("decay", 2.0, r"decay = 2.0 is not in \[0, 1\]"),
        ("decay", "none", "'none' is a str, expected float | None"),
        ("sizes", [0], "is not in"),
        ("title", None, "title = None is a NoneType, expected str"),
        ("title", 3, "title = 3 is a int, expected str"),
    ):
        with pytest.raises(ParameterError, match=said.replace("|", r"\|")):
            line[name].check(value)
    with pytest.raises(ParameterError, match="types: int, float, str, bool, list"):
        declarations("x: float | int = 1  # a number, in [0, 1]\n")
    with pytest.raises(ParameterError, match="any text"):
        declarations("x: int = 1  # a number, in {any text}\n")
