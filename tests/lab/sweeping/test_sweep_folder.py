"""The folder of a sweep: whose it is, and what in it a sweep does not touch."""

import shutil
from types import SimpleNamespace

import jupytext
import nbformat
import pytest

from physnn.lab.sweeping import cli, point
from physnn.lab.sweeping.drive import drive
from physnn.lab.sweeping.notebook import SweepError
from physnn.lab.sweeping.plan import make_plan
from physnn.lab.sweeping.store import Folder
from tests.lab.sweeping.quick import in_threads
from tests.lab.sweeping.sweeps import BODY, make_notebook

EDITED = f"{BODY}\nprint('edited')\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return what sweeps a notebook into ``out``."""
    in_threads(monkeypatch)
    return lambda notebook, out="out": cli.main(["sweep", str(notebook), "--out", str(tmp_path / out)])


def test_a_second_notebook_is_refused(tmp_path, run, capsys):
    first = make_notebook(tmp_path / "notebooks", name="first.ipynb")
    second = make_notebook(tmp_path / "notebooks", body=EDITED, name="second.ipynb")
    same_name = make_notebook(tmp_path / "elsewhere", body=EDITED, name="first.ipynb")
    assert run(first) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    capsys.readouterr()
    for other in (second, same_name):
        for more in ([], ["--dry-run"]):
            assert cli.main(["sweep", str(other), "--out", str(tmp_path / "out"), *more]) == 2
            assert capsys.readouterr().err == (
                f"physnn sweep: {tmp_path / 'out'} holds the sweep of {first}; give this one a folder of its own\n"
            )
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_of_two_notebooks_at_once_the_second_is_refused(tmp_path, run):
    first = make_notebook(tmp_path / "notebooks", name="first.ipynb")
    second = make_notebook(tmp_path / "notebooks", body=EDITED, name="second.ipynb")
    plan = make_plan(second, {}, tmp_path / "out")  # the folder is free
    assert run(first) == 0
    with pytest.raises(SweepError, match="holds the sweep of "):
        drive(plan, None)


def test_the_same_notebook_is_known_again(tmp_path, run):
    notebook = make_notebook(tmp_path / "project" / "notebooks")
    out = "project/out.of % {it}"
    assert run(notebook, out) == 0
    assert run(make_notebook(notebook.parent, body=EDITED), out) == 0
    source = notebook.with_suffix(".md")
    jupytext.write(nbformat.read(make_notebook(notebook.parent), as_version=4), source, fmt="md:myst")
    assert run(source, out) == 0  # the other one of a pair
    shutil.copytree(tmp_path / "project", tmp_path / "copy")
    make_notebook(tmp_path / "copy" / "notebooks", body=EDITED * 2)
    assert run(tmp_path / "copy" / "notebooks" / "tiny.ipynb", "copy/out.of % {it}") == 0
    (tmp_path / "project").rename(tmp_path / "renamed project")
    assert run(make_notebook(tmp_path / "renamed project" / "notebooks"), "renamed project/out.of % {it}") == 0
    shutil.rmtree(tmp_path / "renamed project" / "notebooks")
    moved = make_notebook(tmp_path / "elsewhere", body=EDITED * 3)
    assert run(moved, "renamed project/out.of % {it}") == 0
    renamed = moved.rename(tmp_path / "elsewhere" / "other.ipynb")
    assert run(renamed, "renamed project/out.of % {it}") == 0  # the same code


def test_a_folder_of_an_earlier_version_is_taken(tmp_path, run):
    notebook = make_notebook(tmp_path)
    assert run(notebook) == 0
    (tmp_path / "out" / ".notebook").unlink()
    assert run(make_notebook(tmp_path, body=EDITED)) == 0
    assert (tmp_path / "out" / ".notebook").read_text() == "../tiny.ipynb"


@pytest.mark.parametrize("name", ["table.csv", "index.html"])
def test_what_a_user_has_written_is_not_replaced(tmp_path, run, capsys, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    assert run(make_notebook(tmp_path)) == 2
    assert f"has a {name} that no sweep wrote; give this one a folder of its own" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_editors_and_copies_leave_no_points(tmp_path, run):
    notebook = make_notebook(tmp_path / "notebooks")
    assert run(notebook) == 0
    points = tmp_path / "out" / "points"
    (row,) = points.glob("*.json")
    (points / f".#{row.name}").symlink_to("user@host.1234:1")
    (points / "dangling.json").symlink_to("nowhere")
    (points / "folder.json").mkdir()
    for name in (f"{row.name}~", f"#{row.name}#", f"{row.stem} copy.json", f".{row.name}.swp", "empty.json"):
        (points / name).write_bytes(row.read_bytes() if name != "empty.json" else b"")
    (notebook.parent / ".#tiny.ipynb").symlink_to("user@host.1234:1")
    (notebook.parent / ".#helper.py").symlink_to("user@host.1234:1")
    assert [each["point"] for each in Folder(tmp_path / "out").rows()] == [row.stem]
    assert run(notebook) == 0
    assert len((tmp_path / "out" / "table.csv").read_text().splitlines()) == 2


def test_a_folder_with_another_physnn_is_refused(tmp_path, run, capsys):
    notebook = make_notebook(tmp_path)
    (tmp_path / "physnn.py").touch()
    assert run(notebook) == 2
    assert "physnn.py would be imported in place of" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_a_worker_cannot_start_is_an_outcome(tmp_path, monkeypatch):
    """Its folder is that of another machine, which the driver does not see."""
    monkeypatch.setattr(point, "get_worker", lambda: SimpleNamespace(local_directory=str(tmp_path)))
    plan = make_plan(make_notebook(tmp_path), {}, tmp_path / "out")
    (tmp_path / "physnn.py").touch()
    task = {"notebook": plan.notebook.text, "folder": str(tmp_path), "parameters": {}, "timeout": None, "threads": 1}
    outcome = point.run(task | {"package": plan.asked.package})
    assert outcome["status"] == "failed"
    assert "physnn.py would be imported in place of" in outcome["error"]
    assert "is not what this sweep began with" in point.run(task | {"package": "another"})["error"]
    (tmp_path / "physnn.py").unlink()
    monkeypatch.setattr(point, "get_worker", lambda: SimpleNamespace(local_directory="/dev/null"))  # a full disk, say
    assert point.run(task | {"package": plan.asked.package})["error"].startswith("NotADirectoryError: ")


@pytest.mark.parametrize("name", ["point", "status", "seconds", "error"])
def test_a_parameter_with_the_name_of_a_column_is_refused(tmp_path, name):
    notebook = make_notebook(tmp_path, f"{name}: int = 1  # a number, in [0, 9]\n")
    with pytest.raises(SweepError, match=f"rename the parameter {name}; .* called point, status, seconds, error$"):
        make_plan(notebook, {}, tmp_path / "out")


def test_glued_values_never_share_a_column(tmp_path):
    from physnn.lab.sweeping.table import table

    values = {"seconds": 1, "glued.seconds": 2, "seed": 3}
    row = {"point": "p", "status": "done", "seconds": 0.5, "error": "", "parameters": {"seed": 0}, "values": values}
    frame = table([row], ["seed"])
    assert dict(frame.iloc[0, 1:]) == {
        **{"seed": 0, "status": "done", "seconds": 0.5, "error": ""},
        **{"glued.seconds": 1, "glued.glued.seconds": 2, "glued.seed": 3},
    }


def test_a_page_of_several_torches_or_threads_says_so(tmp_path, monkeypatch, run):
    notebook = make_notebook(tmp_path)
    page = tmp_path / "out" / "index.html"
    assert run(notebook) == 0
    assert "were not all run" not in page.read_text()
    in_threads(monkeypatch, lambda _: {"torch": "2.1"})
    more = ["--grid", "seed=0:2", "--threads", "4"]
    assert cli.main(["sweep", str(notebook), "--out", str(tmp_path / "out"), *more]) == 0
    assert "The points were not all run with the same torch 2.0, 2.1; threads 1, 4." in page.read_text()


@pytest.mark.parametrize("change", ["helper/__init__.py", "helper/inner.py", "helper/deep/part.py", "beside.py"])
def test_packages_beside_the_notebook_count_with_what_they_import(tmp_path, change):
    sources = {
        **{"helper/__init__.py": "from .inner import value", "helper/inner.py": "from .deep import part\nvalue = 1"},
        **{"helper/deep/part.py": "\ufeffimport beside", "beside.py": "", "helper/idle.py": "", "idle.py": ""},
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    notebook = make_notebook(tmp_path, body=f"import helper\n{BODY}")
    package = make_plan(notebook, {}, tmp_path / "out").asked.package
    for idle in ("helper/idle.py", "idle.py"):
        (tmp_path / idle).write_text("changed = 1")
    assert make_plan(notebook, {}, tmp_path / "out").asked.package == package
    with (tmp_path / change).open("a") as file:
        file.write("\nchanged = 1\n")
    assert make_plan(notebook, {}, tmp_path / "out").asked.package != package
