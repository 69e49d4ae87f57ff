"""A run of a sweep, when its kernel dies: before the first cell it is started again, after it it is not."""

import nbformat
import papermill
import pytest

from physnn.lab.sweeping import execute

DEAD = "Kernel died before replying to kernel_info"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Return a folder with a notebook to run in this process."""
    monkeypatch.setattr(execute, "_leave_with_parent", lambda: None)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    nbformat.write(notebook, tmp_path / "clean.ipynb")
    (tmp_path / "parameters.json").write_text("{}")
    return tmp_path


def test_a_kernel_that_does_not_start_is_started_again(work, monkeypatch):
    from jupyter_client import KernelManager

    start, began = KernelManager.format_kernel_cmd, []

    def dying(self, *arguments, **options):
        began.append(self)
        return ["false"] if len(began) < execute.ATTEMPTS else start(self, *arguments, **options)

    monkeypatch.setattr(KernelManager, "format_kernel_cmd", dying)
    assert execute.main(work, work) == 0
    assert len(began) == execute.ATTEMPTS
    (cell,) = [cell for cell in nbformat.read(work / "ran.ipynb", as_version=4).cells if cell.outputs]
    assert cell.outputs[0]["text"] == "1\n"


def test_what_never_starts_fails_in_the_end(work, monkeypatch, capsys):
    from jupyter_client import KernelManager

    monkeypatch.setattr(KernelManager, "format_kernel_cmd", lambda self, *arguments, **options: ["false"])
    assert execute.main(work, work) == 1
    assert capsys.readouterr().out.count(f"RuntimeError: {DEAD}") == execute.ATTEMPTS


def test_a_kernel_that_dies_in_a_cell_is_not_started_again(work, monkeypatch):
    attempts = []
    run = papermill.execute_notebook
    monkeypatch.setattr(papermill, "execute_notebook", lambda *a, **k: attempts.append(1) or run(*a, **k))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import os\nos._exit(3)")])
    nbformat.write(notebook, work / "clean.ipynb")
    assert execute.main(work, work) == 1
    assert len(attempts) == 1
