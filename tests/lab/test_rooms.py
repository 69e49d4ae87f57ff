"""The direction of imports: core ← lab ← notebooks, book, benchmarks, tests; in the lab, the order of its rooms."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest

from physnn.lab.running.source import references

ROOT = Path(__file__).resolve().parents[2]
# A room imports from itself and from those before it.
ROOMS = (
    *("data", "physics", "metrics", "statistics", "figures", "chapter"),
    *("running", "models", "training", "records", "sweeping", "explorer"),
)
# What may import what, of the repository; the tests may import everything.
MAY = {
    "physnn": {"physnn"},
    "book": {"physnn", "book"},
    "benchmarks": {"physnn", "benchmarks"},
    "notebooks": {"physnn"},
}
# Imports against the direction, each with its reason: (module, what it imports): reason.
ALLOWED: dict[tuple[str, str], str] = {}


def cells(source: Path) -> Iterator[str]:
    """Give the code cells of a notebook."""
    return (cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code")


def imports(code: str) -> set[str]:
    """Return what a piece of Python imports, also for a type checker, and the modules that its strings name."""
    found = set(references(code).dotted)
    for node in ast.walk(ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", code, flags=re.MULTILINE))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "write the whole name of a module: from physnn.…, not from ."
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def sources() -> Iterator[tuple[str, str]]:
    """Give the dotted name and the code of every module and notebook that has a place in the order."""
    for top in MAY:
        for path in sorted((ROOT / top).rglob("*.py")):
            module = path.relative_to(ROOT).with_suffix("")
            yield ".".join(module.parts).removesuffix(".__init__"), path.read_text(encoding="utf-8")
    for source in sorted((ROOT / "notebooks").glob("[!.]*.md")):
        yield f"notebooks.{source.stem}", "\n".join(cells(source))


def against(module: str, imported: str) -> str:
    """Say what is wrong with an import; nothing where it is allowed."""
    mine, theirs = module.split("."), imported.split(".")
    if theirs[0] not in {"physnn", "book", "benchmarks", "notebooks", "tests"}:
        return ""
    if theirs[0] not in MAY[mine[0]]:
        return f"{mine[0]} imports nothing of {theirs[0]}"
    if mine[0] != "physnn" or theirs[:2] != ["physnn", "lab"]:
        return ""
    if mine[:2] != ["physnn", "lab"]:
        return "the core imports nothing of the lab"
    if len(mine) == 2 or theirs == ["physnn", "lab"]:  # its table of names
        return ""
    if theirs[2] not in ROOMS:
        return "the lab names its rooms: from physnn.lab.ROOM.MODULE"
    if ROOMS.index(theirs[2]) > ROOMS.index(mine[2]):
        return f"the room {mine[2]} stands before {theirs[2]}"
    return ""


def test_every_room_has_its_place():
    rooms = {path.parent.name for path in (ROOT / "physnn" / "lab").glob("*/__init__.py")}
    assert rooms == set(ROOMS)


def test_imports_go_one_way():
    found, used = [], set()
    for module, code in sources():
        for imported in sorted(imports(code)):
            allowed = [pair for pair in ALLOWED if module == pair[0] and f"{imported}.".startswith(f"{pair[1]}.")]
            used.update(allowed)
            if not allowed and (wrong := against(module, imported)):
                found.append(f"{module} imports {imported}: {wrong}")
    assert not found, "\n".join(found)
    assert used == set(ALLOWED), "an import that nobody needs to be allowed any more"


@pytest.mark.parametrize(
    ("module", "code", "wrong"),
    [
        ("physnn.layer", "from physnn.lab import glue", "the core imports nothing"),
        ("physnn.lab.data.images", "def f():\n    from physnn.lab.metrics import cost", "stands before"),
        ("physnn.lab.data.images", "if TYPE_CHECKING:\n    import physnn.lab.records.studies", "stands before"),
        ("physnn.lab.records.studies", "import physnn\nphysnn.lab.explorer.page.show()", "stands before"),
        ("physnn.lab.records.studies", "run([python, '-m', 'physnn.lab.sweeping.cli'])", "stands before"),
        ("physnn.lab.records.studies", "from physnn.lab import glue", "names its rooms"),
        ("physnn.lab.records.studies", "from book.tools import claims", "imports nothing of book"),
        ("notebooks.langevin", "import benchmarks.epoch", "imports nothing of benchmarks"),
        ("physnn.lab.records.studies", "from physnn.lab.training.task import find\nfrom physnn import Langevin", ""),
    ],
)
def test_the_order_is_told_from_its_reverse(module, code, wrong):
    said = [against(module, imported) for imported in sorted(imports(code))]
    assert any(wrong in text for text in said) if wrong else not any(said)


def test_no_notebook_defines_a_function_that_another_one_needs():
    """Two chapters that define the same function take it from the package."""
    seen: dict[str, str] = {}
    twice = []
    for source in sorted((ROOT / "notebooks").glob("[!.]*.md")):
        for cell in cells(source):
            tree = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", cell, flags=re.MULTILINE))
            for node in ast.walk(tree):
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and len(ast.unparse(node).splitlines()) > 3:
                    body = ast.dump(ast.Module(node.body, []))
                    if (first := seen.setdefault(body, source.stem)) != source.stem:
                        twice.append(f"{node.name} of {source.stem} is one of {first}")
    assert not twice, "\n".join(twice)
