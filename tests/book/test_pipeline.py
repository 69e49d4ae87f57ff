"""The book's pipeline on two small notebooks: what runs when, what survives an interruption, what fails."""

import signal
import subprocess
import time

import nbformat
import pytest

from book.tools import build, fingerprint, glue_keys, parameters
from book.tools.project import BookError
from physnn.lab.running.files import alone
from tests.book.tiny import TOC, add_to, build_now, ran, start_build


def test_an_unchanged_book_is_left_as_it_is(project, capsys):
    page = (project.html / "book" / "intro.html").read_text()
    assert "The first took 2 steps." in " ".join(
        page.replace('<span class="pasted-text">', "").replace("</span>", "").split()
    )
    assert build_now(project) == 0
    printed = capsys.readouterr().out
    assert "executing" not in printed
    assert "building" not in printed
    assert str(project.html / "index.html") in printed


def test_a_changed_notebook_runs_alone_and_a_changed_module_runs_its_users(project):
    notebooks, package = project.root / "notebooks", project.root / "physnn"
    add_to(notebooks / "second.md", "1 + 1")
    assert ran(project) == {"second"}
    (package / "new.py").write_text("x = 1\n")
    assert ran(project) == set()
    (package / "one.py").write_text("from physnn import new\n")
    assert ran(project) == {"first"}
    (package / "new.py").write_text("x = 2\n")
    assert ran(project) == {"first"}
    (notebooks / "naming.py").write_text(f"{(notebooks / 'naming.py').read_text()}\n# for both\n")
    assert ran(project) == {"first", "second"}
    assert ran(project) == set()


def test_a_result_depends_on_parameters_lock_and_files_that_it_names(project):
    (source, _) = project.sources

    def digest(**values) -> str:
        return fingerprint.notebook(project, source, values)

    seen = {digest(), digest(steps=1), digest(steps=2), digest(data="digits")}
    (project.root / "requirements.lock").write_text("other==1\n")
    seen.add(digest())
    add_to(source, "from pathlib import Path\nfound = sorted(Path().glob('*.txt')), 'table.csv'")
    seen.add(digest())
    for name in ("table.csv", "note.txt"):
        (source.parent / name).write_text("seed\n")
        seen.add(digest())
    (source.parent / "other.csv").write_text("seed\n")
    assert digest() in seen
    assert len(seen) == 8


def test_the_page_of_a_deleted_notebook_does_not_survive(project):
    (project.root / "notebooks" / "second.md").unlink()
    (project.root / "_toc.yml").write_text(TOC.replace("  - file: notebooks/second\n", ""))
    assert build_now(project) == 0
    assert not list(project.out.rglob("second*"))
    assert (project.html / "notebooks" / "first.html").exists()


@pytest.mark.parametrize("phase", ["executing", "building the pages"])
def test_a_build_killed_midway_is_made_good_by_the_next(project, phase):
    started = project.root / "started"
    waits = "import pathlib, time\n" + f"pathlib.Path({str(started)!r}).touch(); time.sleep(2)\nprint('the new text')"
    add_to(project.root / "notebooks" / "first.md", waits)
    builder = start_build(project)
    deadline = time.monotonic() + 60
    while not (started.exists() if phase == "executing" else list(project.out.glob(".site-*"))):
        assert builder.poll() is None, "the build ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    assert "the new text" not in (project.html / "notebooks" / "first.html").read_text()

    assert build_now(project) == 0
    assert "the new text" in (project.html / "notebooks" / "first.html").read_text()
    assert sorted(path.name for path in project.executed.iterdir()) == ["first.ipynb", "second.ipynb"]
    assert not list(project.out.glob(".site-*"))


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import warnings\nwarnings.warn('careful')", "warnings.warn('careful')"),
        ("import os\nos.kill(os.getpid(), 9)", "DeadKernelError: Kernel died"),
    ],
    ids=["raises", "warns", "dies"],
)
def test_a_notebook_that_does_not_run_clean_fails_the_build(project, capfd, code, last):
    before = (project.executed / "second.ipynb").read_bytes()
    add_to(project.root / "notebooks" / "second.md", code)
    assert build_now(project) == 1
    lines = capfd.readouterr().err.rstrip().splitlines()
    assert lines[-1].strip() == last
    assert any("notebook second, cell 4 (second-04)" in line for line in lines)
    assert [f"    {row}" for row in code.splitlines()] == [row for row in lines if row[4:] in code.splitlines()][
        : code.count("\n") + 1
    ]
    assert (project.executed / "second.ipynb").read_bytes() == before


def test_a_number_that_nothing_glues_fails_the_build(project, capsys):
    intro = project.root / "book" / "intro.md"
    intro.write_text(intro.read_text() + "\nAnd {glue:text}`../notebooks/second.ipynb::stepz:d`.\n")
    source = project.root / "notebooks" / "first.md"
    source.write_text(source.read_text() + "\nAlso {glue}`absent`.\n")
    assert build_now(project) == 1
    printed = capsys.readouterr().err
    assert "page book/intro.md, line 5" in printed
    assert "notebooks/second glues no 'stepz': add glue('stepz', value)" in printed
    assert "notebooks/first, cell 3 (first-03) uses 'absent'" in printed
    assert printed.rstrip().endswith("it glues steps")


def test_a_number_that_is_glued_twice_fails_the_build(project, capsys):
    add_to(project.root / "notebooks" / "first.md", 'glue("steps", 3)')
    assert build_now(project) == 1
    printed = capsys.readouterr().err
    assert "notebook first, cell 4 (first-04) glues 'steps' again" in printed
    assert printed.rstrip().endswith("cell 2 glues it too: keep one of the two, or rename it")


def test_glued_names_are_found_in_every_form_and_not_in_examples():
    text = (
        "{glue:text}`a:.2f` and {glue}`b`\nand {glue:text}`x.ipynb::c`, not `` {glue}`no` ``\n\n"
        "```{admonition} Title\nInside {glue:text}`d:d`.\n```\n\n"
        "```{glue:figure} e\n```\n\n:::{glue} f\n:doc: x.ipynb\n:::\n\n```md\n{glue}`no`\n```\n"
    )
    assert [(line, document, key) for line, document, key in glue_keys.references(text)] == [
        (0, None, "a"),
        (0, None, "b"),
        (1, "x.ipynb", "c"),
        (4, None, "d"),
        (7, None, "e"),
        (10, "x.ipynb", "f"),
    ]


def test_profiles_reach_the_notebook_and_the_page_does_not_show_the_injection(project):
    (project.root / "notebooks" / "profiles.yml").write_text("test:\n  first: {steps: 7}\n")
    assert build.main(["--root", str(project.root), "--out", str(project.out), "--profile", "test"]) == 0
    staged = nbformat.read(project.stage / "notebooks" / "first.ipynb", as_version=4)
    (injected,) = [cell for cell in staged.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert "remove-cell" in injected.metadata.tags
    assert staged.metadata.physnn.parameters == {"steps": 7}
    page = (project.html / "notebooks" / "first.html").read_text()
    assert "7</span> steps" in page
    assert "steps = 7" not in page.replace("</span>", "").replace('<span class="n">', "")


def test_the_data_is_passed_where_it_is_declared_and_small_images_bring_their_values(project):
    source = project.root / "notebooks" / "first.md"
    source.write_text(source.read_text().replace("steps: int", 'data: str = "mnist"\nsteps: int'))
    (project.root / "notebooks" / "profiles.yml").write_text(
        "digits:\n  first: {steps: 3}\ntest:\n  first: {steps: 1}\n"
    )
    assert parameters.chosen(project, "book", "digits") == {"first": {"data": "digits", "steps": 3}, "second": {}}
    assert parameters.chosen(project, "book", "mnist") == {"first": {"data": "mnist"}, "second": {}}
    assert parameters.chosen(project, "test", "digits") == {"first": {"data": "digits", "steps": 1}, "second": {}}


@pytest.mark.parametrize(
    ("profiles", "said"),
    [("test:\n  third: {steps: 1}\n", "no notebook 'third'"), ("test:\n  first: {step: 1}\n", "no parameter 'step'")],
)
def test_a_profile_that_fits_nothing_is_refused(project, profiles, said):
    (project.root / "notebooks" / "profiles.yml").write_text(profiles)
    with pytest.raises(BookError, match=said):
        parameters.chosen(project, "test")


def test_a_second_build_of_the_same_book_waits_for_the_first(project):
    with alone(project.out, "build"):
        second = start_build(project)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=4)
    assert second.wait(timeout=60) == 0


def test_a_notebook_outside_the_table_of_contents_is_refused(project, capsys):
    (project.root / "_toc.yml").write_text(TOC.replace("  - file: notebooks/second\n", ""))
    assert build_now(project) == 1
    assert "notebooks/second.md is not in _toc.yml" in capsys.readouterr().err
