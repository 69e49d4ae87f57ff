"""Sphinx in a process of its own, which ends with this one's work."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from book.tools.project import Project


def run(project: Project, command: Sequence[str | Path], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder, whose physnn it documents; what it prints is kept together.

    An interruption, of which it says nothing, ends it.
    """
    return subprocess.run(
        command,
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=os.environ | project.variables | variables,
        check=False,
    )
