"""What of the real chapters is out of date after which change: nothing is executed, in a copy of the sources."""

import shutil
from pathlib import Path

import pytest

from book.tools import fingerprint
from book.tools.project import Project

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ("archaeology", "coherence", "explorer", "free-energy", "langevin", "loss-terms")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the package, of some chapters, and of the studies' designs with an empty table each."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "physnn", root / "physnn", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "notebooks").mkdir()
    for name in CHAPTERS:
        shutil.copy(ROOT / "notebooks" / f"{name}.md", root / "notebooks")
    for design in (ROOT / "results").glob("*/design.yml"):
        folder = root / "results" / design.parent.name
        folder.mkdir(parents=True)
        shutil.copy(design, folder)
        (folder / "table.csv").touch()
    (root / "requirements.lock").touch()
    shutil.copy(ROOT / "_toc.yml", root)
    return Project(root, root / "_build")


def prints(project):
    return {source.stem: fingerprint.notebook(project, source, {}) for source in project.sources}


@pytest.fixture(scope="module")
def changed(project):
    """Return a function that names the chapters that a change of a file touches."""
    last = prints(project)

    def changed(name: str) -> set[str]:
        path = project.root / name
        path.write_text(f"{path.read_text()}\n# changed\n")
        before = dict(last)
        last.update(prints(project))
        return {stem for stem in last if last[stem] != before[stem]}

    return changed


@pytest.mark.parametrize(
    ("name", "chapters"),
    [
        ("physnn/lab/physics/pendulum.py", {"langevin"}),
        ("physnn/lab/figures/field_film.py", {"free-energy"}),
        ("physnn/lab/figures/film.py", {"langevin"}),
        ("physnn/lab/explorer/page.css", {"explorer"}),
        ("physnn/lab/statistics/matching.py", {"coherence"}),
        ("physnn/lab/sweeping/report.py", set()),
        ("physnn/lab/chapter/contract.py", set(CHAPTERS)),
        ("requirements.lock", set(CHAPTERS)),
        ("notebooks/langevin.md", {"explorer", "langevin"}),  # which looks for the page about a study
        ("results/few-images/table.csv", {"archaeology", "explorer"}),
        ("results/headline/design.yml", {"archaeology", "coherence", "explorer"}),
    ],
)
def test_a_change_touches_those_who_use_it(changed, name, chapters):
    assert changed(name) == chapters


def test_a_chapter_that_trains_depends_on_its_task_and_on_what_decides_the_numbers(changed):
    trains = {"archaeology", "coherence", "loss-terms"}
    assert trains <= changed("physnn/lab/training/tasks/images.py")
    touched = changed("physnn/loss.py")
    assert trains | {"free-energy"} <= touched
    assert "langevin" not in touched
