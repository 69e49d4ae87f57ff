"""What a result is made from: what the source says, on a small package, and on this one."""

import ast
import subprocess
import sys

import pytest

from physnn.lab.running import closure
from physnn.lab.running.source import references

SMALL = {
    "__init__.py": '_HOME = {"Layer": "layer", "Loss": "loss"}\n',
    "layer.py": '"""Unlike physnn.loss, this one stands alone."""\n',
    "loss.py": "from physnn import layer\n",
    "fast.py": "def launch(): import physnn.kernel\n",
    "kernel.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from physnn import loss\n",
    "lab/__init__.py": '_HOME = {"glue": "chapter.naming"}\n',
    "lab/chapter/__init__.py": "",
    "lab/chapter/naming.py": "",
    "lab/explorer/__init__.py": "from physnn.lab.explorer.page import show\n",
    "lab/explorer/page.py": "from . import grid\nfrom ..chapter import naming\n",
    "lab/explorer/grid.py": "",
    "lab/explorer/page.css": "",
    "lab/explorer/icons/star.svg": "",
    "lab/tasks/__init__.py": "",
    "lab/tasks/images.py": "",
    "lab/tasks/graphs.py": "from physnn.lab.chapter import naming\n",
    "lab/task.py": "import pkgutil\nfrom physnn.lab import tasks\nnames = pkgutil.iter_modules(tasks.__path__)\n",
}


@pytest.fixture
def package(tmp_path):
    for name, text in SMALL.items():
        path = tmp_path / "physnn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "physnn"


def reached(package, *cells, **more):
    """Return the files that cells reach, without the package's name, and without its first ``__init__``."""
    files = closure.of_cells(cells, package=package, **more).files
    return {name.removeprefix("physnn/") for name in files} - {"__init__.py"}


LAB = {"lab/__init__.py"}
NAMING = {*LAB, "lab/chapter/__init__.py", "lab/chapter/naming.py"}
TASKS = {*LAB, "lab/task.py", "lab/tasks/__init__.py"}


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("import math", set()),
        ("import physnn", set()),
        ("from physnn import Layer", {"layer.py"}),
        ("import physnn\nphysnn.Loss(1)", {"layer.py", "loss.py"}),
        ("import physnn as p\np.layer.Layer", {"layer.py"}),
        ("import physnn\ngetattr(physnn, name)", {"layer.py", "loss.py"}),
        ("from physnn import *", {"layer.py", "loss.py"}),
        ("def f():\n    from physnn.lab import glue", NAMING),
        ("import physnn.lab\nphysnn.lab.glue('n', 1)", NAMING),
        ("'see physnn.loss'", set()),
        ("x = 'see physnn.loss'", {"layer.py", "loss.py"}),
        ("run([python, '-m', 'physnn.fast'])", {"fast.py", "kernel.py"}),
        ("from physnn.lab import explorer", {*NAMING, *(n for n in SMALL if n.startswith("lab/explorer"))}),
        ("if TYPE_CHECKING:\n    import physnn.layer\nelse:\n    import physnn.kernel", {"kernel.py"}),
        ("import typing\nif typing.TYPE_CHECKING:\n    import physnn.layer", set()),
        ("%matplotlib inline\nfor x in y:\n    !ls\nimport physnn.layer", {"layer.py"}),
        ("import physnn.lab.task\nname = 'images'", {*TASKS, "lab/tasks/images.py"}),
        ("import physnn.lab.task\nname = 'graphs'", {*TASKS, "lab/tasks/graphs.py", *NAMING}),
        ("import physnn.lab.task", {*TASKS, "lab/tasks/graphs.py", "lab/tasks/images.py", *NAMING}),
    ],
)
def test_what_a_cell_reaches(package, code, files):
    assert reached(package, code) == files


def test_what_cannot_be_read_is_made_from_everything(package):
    assert reached(package, "%%bash\nfor f in *; do echo; done") == {name for name in SMALL if name != "__init__.py"}
    assert reached(package, "1", "x = (") == {name for name in SMALL if name != "__init__.py"}


def test_a_study_is_made_from_its_task_and_no_other(package):
    made = closure.of_modules("physnn.lab.task", "physnn.lab.tasks.images", chosen=["images"], package=package)
    assert {name.removeprefix("physnn/") for name in made.files} == {"__init__.py", *TASKS, "lab/tasks/images.py"}
    by_file = closure.of_modules(package / "lab" / "task.py", package / "lab/tasks/images.py", package=package)
    assert by_file.files == made.files
    own = package.parent / "own.py"
    own.write_text("from physnn.lab import glue\n")
    made = closure.of_modules(own, package=package)
    assert {name.removeprefix("physnn/") for name in made.files} == {"own.py", "__init__.py", *NAMING}
    with pytest.raises(ModuleNotFoundError, match=r"no module physnn\.lab\.tasks\.graph in"):
        closure.of_modules("physnn.lab.tasks.graph", package=package)


def test_modules_beside_a_notebook_count_and_others_do_not(package, tmp_path):
    beside = tmp_path / "notebooks"
    (beside / "tools").mkdir(parents=True)
    (beside / "helper.py").write_text("from tools import draw\nfrom physnn import Layer\n")
    (beside / "tools" / "draw.py").write_text("import os\n")
    (beside / "idle.py").write_text("")
    made = closure.of_cells(["import helper, numpy"], beside, package=package)
    assert set(made.files) == {"helper.py", "tools/draw.py", "physnn/__init__.py", "physnn/layer.py"}
    assert reached(package, "import helper") == set()


def test_a_digest_is_that_of_names_and_contents(package):
    def digest():
        return closure.of_cells(["from physnn.lab import explorer"], package=package).digest()

    seen = [digest()]
    (package / "loss.py").write_text("other = 1\n")
    assert digest() == seen[0]
    page = package / "lab" / "explorer" / "page.py"
    page.write_bytes(page.read_bytes().replace(b"\n", b"\r\n"))
    assert digest() == seen[0]
    for change in (
        lambda: page.write_text(f"{SMALL['lab/explorer/page.py']}\n# a comment\n"),
        lambda: (package / "lab" / "explorer" / "page.css").write_text("a {}\n"),
        lambda: (package / "lab" / "explorer" / "more.js").touch(),
    ):
        change()
        seen.append(digest())
    assert len(set(seen)) == 4


def test_names_that_are_put_together_are_patterns():
    code = 'a = f"{kind}-terms"\nb = "as-" + kind + "ed"\nc = f"{x}-{y}"\nd = x + y\nStudy(name)\nStudy("long")'
    assert references(code).patterns == {r".*\-terms", r"as\-.*ed"}
    assert references('f"{page}.md", f"{x}.{y}", f"{x:.2f}"').patterns == {r".*\.md"}
    assert references('Study(f"{x}-{y}")').patterns == {r".*\-.*"}
    assert references("studies.Study(names[0])").patterns == {".*"}


def test_nothing_is_imported_by_a_name_that_the_source_does_not_show():
    """Else results would go stale in silence: tell :mod:`physnn.lab.running.closure` of a new way first."""
    known = {"__init__.py", "lab/__init__.py", "lab/training/task.py"}  # the tables, and the tasks
    found = set()
    for path in closure.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
            if name in ("import_module", "__import__", "exec", "eval", "run_module", "run_path"):
                first = node.args[0] if node.args else None
                method = name == "eval" and isinstance(node.func, ast.Attribute)  # of a network
                if not method and not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                    found.add(path.relative_to(closure.PACKAGE).as_posix())
    assert found == known


def test_what_python_imports_is_part_of_the_closure():
    """There may be more, imports inside functions; there is never less."""
    module = "physnn.lab.sweeping.drive"  # without torch, which takes seconds
    code = f"import sys, {module}\nprint(*(n for n in sys.modules if n.startswith('physnn')))"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    made = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in closure.of_modules(module).files
    }
    assert len(imported) > 5 and set(imported) <= made


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\nname = '\xe9'\n", b"name = '\xff'\n"])
def test_a_module_is_read_in_its_own_encoding(package, tmp_path, start):
    """One that Python cannot read either is no error: only what runs can tell whether it is imported."""
    (tmp_path / "helper.py").write_bytes(start + b"import beside\n")
    (tmp_path / "beside.py").touch()
    assert reached(package, "import helper", folder=tmp_path) == {"helper.py", "beside.py"}
