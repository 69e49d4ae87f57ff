"""A book of two small notebooks, on which the build can be tried."""

import shutil
import subprocess
import sys
from pathlib import Path

from book.tools import build, parameters
from book.tools.project import Project
from book.tools.run_all import run_all

ROOT = Path(__file__).resolve().parents[2]

NOTEBOOK = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# Chapter {name}

```{{code-cell}} python
:tags: [parameters]
steps: int = 2  # a parameter
```

```{{code-cell}} python
from naming import glue
glue("steps", steps)
```

It took {{glue:text}}`steps:d` steps.
"""
CONFIG = """title: tiny
only_build_toc_files: true
execute: {execute_notebooks: "off", stderr_output: error}
"""
TOC = """format: jb-book
root: book/intro
chapters:
  - file: notebooks/first
  - file: notebooks/second
"""


def add_to(source: Path, code: str) -> None:
    """Append a cell to a notebook."""
    source.write_text(f"{source.read_text()}\n```{{code-cell}} python\n{code}\n```\n")


def build_now(project: Project) -> int:
    return build.main(["--root", str(project.root), "--out", str(project.out)])


def start_build(project: Project) -> subprocess.Popen:
    command = [sys.executable, "-m", "book.tools.build", "--root", project.root, "--out", project.out]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ran(project: Project) -> set[str]:
    return {name for name, (_, now) in run_all(project, parameters.chosen(project, "book")).items() if now}


def write_project(root: Path) -> Project:
    """Write the sources of the book."""
    for folder in ("notebooks", "book", "physnn"):
        (root / folder).mkdir(parents=True)
    for name in ("first", "second"):
        (root / "notebooks" / f"{name}.md").write_text(NOTEBOOK.format(name=name))
    (root / "physnn" / "__init__.py").write_text("")
    shutil.copy(ROOT / "physnn" / "lab" / "chapter" / "naming.py", root / "notebooks" / "naming.py")  # without torch
    first = root / "notebooks" / "first.md"
    first.write_text(
        first.read_text().replace("naming import glue", "naming import glue\nif not steps:\n    from physnn import one")
    )
    (root / "physnn" / "one.py").write_text("")
    (root / "requirements.lock").write_text("")
    (root / "_config.yml").write_text(CONFIG)
    (root / "_toc.yml").write_text(TOC)
    intro = "# Intro\n\nThe first took {glue:text}`../notebooks/first.ipynb::steps:d` steps.\n"
    (root / "book" / "intro.md").write_text(intro)
    return Project(root, root / "_build")
