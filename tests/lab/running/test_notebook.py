"""A notebook in a process of its own: what it leaves, and what becomes of kernels and processes that die."""

import os
import re
from pathlib import Path

import nbformat
import papermill
import pytest

import physnn
from physnn.lab.running import notebook as running
from physnn.lab.running.outcome import glued, troubles, unfinished
from tests.lab.running.clusters import wait_for
from tests.lab.sweeping.sweeps import at_work_in

DEAD = "Kernel died before replying to kernel_info"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Return a folder with a notebook to run in this process."""
    monkeypatch.setattr(running, "_leave_with_parent", lambda: None)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    nbformat.write(notebook, tmp_path / "clean.ipynb")
    (tmp_path / "parameters.json").write_text("{}")
    return tmp_path


def test_a_kernel_that_does_not_start_is_started_again(work, monkeypatch):
    from jupyter_client import KernelManager

    start, began = KernelManager.format_kernel_cmd, []

    def dying(self, *arguments, **options):
        began.append(self)
        return ["false"] if len(began) < running.ATTEMPTS else start(self, *arguments, **options)

    monkeypatch.setattr(KernelManager, "format_kernel_cmd", dying)
    assert running.main(work, work) == 0
    assert len(began) == running.ATTEMPTS
    (cell,) = [cell for cell in nbformat.read(work / "ran.ipynb", as_version=4).cells if cell.outputs]
    assert cell.outputs[0]["text"] == "1\n"


def test_what_never_starts_fails_in_the_end(work, monkeypatch, capsys):
    from jupyter_client import KernelManager

    monkeypatch.setattr(KernelManager, "format_kernel_cmd", lambda self, *arguments, **options: ["false"])
    assert running.main(work, work) == 1
    assert capsys.readouterr().out.count(f"RuntimeError: {DEAD}") == running.ATTEMPTS


def test_a_kernel_that_dies_in_a_cell_is_not_started_again(work, monkeypatch):
    attempts = []
    run = papermill.execute_notebook
    monkeypatch.setattr(papermill, "execute_notebook", lambda *a, **k: attempts.append(1) or run(*a, **k))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import os\nos._exit(3)")])
    nbformat.write(notebook, work / "clean.ipynb")
    assert running.main(work, work) == 1
    assert len(attempts) == 1


CELLS = """\
import os, sys, time
from pathlib import Path
from physnn.lab import glue
from IPython.display import HTML
glue("five", value)
glue("text", "φ ± 1")
glue("infinite", float("inf"))
glue("picture", HTML("<b>bold</b>"))
print(os.environ["OMP_NUM_THREADS"], os.environ.get("MPLBACKEND"), Path.cwd().name)
"""


def begun(tmp_path, *cells, **options):
    """Start a notebook; its first cell is that of the parameters."""
    new, work, folder = nbformat.v4, tmp_path / "work", tmp_path / "own"
    work.mkdir(parents=True)
    folder.mkdir()
    first = new.new_code_cell("value = 1", metadata={"tags": ["parameters"]})
    text = nbformat.writes(new.new_notebook(cells=[first, *map(new.new_code_cell, cells)]))
    return running.start(work, text, {"value": 5}, folder, threads=3, **options)


def test_a_notebook_leaves_values_a_log_and_no_path_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    run = begun(tmp_path, CELLS)
    with run.process:
        assert run.process.wait(timeout=120) == 0
    notebook = run.notebook()
    assert glued(notebook) == {"five": 5, "text": "φ ± 1", "infinite": float("inf"), "picture": None}
    assert re.search(r" 3 \S*inline own$", run.log(), re.MULTILINE)  # figures go into the notebook, whatever is set
    assert not list(troubles(notebook))
    assert str(tmp_path) not in nbformat.writes(notebook)


@pytest.mark.parametrize(
    ("code", "verdict", "error", "text"),
    [
        ("value / 0", "raised", "ZeroDivisionError: division by zero", "----> 1 value / 0"),
        ("import sys\nprint('careful', file=sys.stderr)\n1 / 0", "wrote to stderr", "", "careful"),
        ("import os\nos._exit(3)", "did not finish", "", ""),
    ],
    ids=["raises", "warns", "dies"],
)
def test_what_went_wrong_is_found_with_its_cell(tmp_path, code, verdict, error, text):
    run = begun(tmp_path, "1", code, "2")
    with run.process:
        assert run.process.wait(timeout=120) == 1
    notebook = run.notebook()
    trouble = next(troubles(notebook), None) or unfinished(notebook)
    assert (trouble.verdict, trouble.error, trouble.cell.source) == (verdict, error, code)
    assert trouble.index == 3  # the parameters that papermill put in count, its marks of the error do not
    assert text in trouble.text
    if verdict == "did not finish":
        assert run.last_words() == "DeadKernelError: Kernel died"


def test_a_kill_takes_the_kernel_along_and_the_notebook_stays_readable(tmp_path):
    run = begun(tmp_path, "from pathlib import Path\nPath('begun').touch()\nimport time\ntime.sleep(300)")
    with run.process:
        wait_for((tmp_path / "own" / "begun").exists, "the cell to begin")
        run.kill()
        assert run.process.returncode < 0
    wait_for(lambda: not at_work_in(tmp_path / "own"), "the end of the kernel")
    assert run.notebook().cells[0].source == "value = 1"
    run.kill()  # of what has ended is nothing


WHERE = """\
import os
import sys
import physnn
print("from", physnn.__file__, "leaked" in globals())
print("data", os.environ["PHYSNN_DATA"], "extra", os.environ["EXTRA"])
import matplotlib.pyplot as plt
plt.plot([1, 2])
"""


def test_a_kernel_imports_the_physnn_of_its_caller_in_any_folder_and_without_a_home(tmp_path, monkeypatch):
    """Another one is installed, as in an environment that was copied with its checkout."""
    other = tmp_path / "installed" / "physnn"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('the wrong one')")
    monkeypatch.setenv("PYTHONPATH", str(other.parent))
    (tmp_path / "startup.py").write_text("leaked = True")
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["false"], "display_name": "another", "language": "python"}')
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "startup.py"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("HOME", os.devnull)
    for name in ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PHYSNN_DATA", "data")
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "a {value} b" / "{}" / "c.d é %s #"
    run = begun(place, WHERE, variables={"EXTRA": "{1}"})
    with run.process:
        assert run.process.wait(timeout=120) == 0, run.log()
    assert f"from {physnn.__file__} False\n" in run.log()
    assert f"data {tmp_path / 'data'} extra {{1}}\n" in run.log()
    assert "image/png" in str(run.notebook().cells)


@pytest.mark.parametrize("name", ["physnn/__init__.py", "physnn.py"])
def test_a_folder_with_another_physnn_is_refused(tmp_path, name):
    (tmp_path / "own" / name).parent.mkdir(parents=True)
    (tmp_path / "own" / name).touch()
    with pytest.raises(ImportError, match=r"own/physnn.* would be imported in place of"):
        running.start(tmp_path, "{}", {}, tmp_path / "own")


def test_the_folder_of_the_package_itself_is_none_of_another(tmp_path, monkeypatch):
    checkout = Path(physnn.__file__).parents[1]
    (tmp_path / "link").symlink_to(checkout)
    monkeypatch.setattr(running.subprocess, "Popen", lambda *command, **options: options["env"]["PYTHONPATH"])
    run = running.start(tmp_path, "{}", {}, tmp_path / "link")
    assert run.process.split(os.pathsep)[0] == str(checkout)
