"""Digest whatever a result depends on, so that it is made again exactly when something of it changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from book.tools import pairs
from book.tools.project import Project


def notebook(project: Project, source: Path, parameters: dict) -> str:
    """Digest a notebook's cells and parameters, the package, the recorded results and the lock."""
    texts = [pairs.text(source), json.dumps(parameters, sort_keys=True)]
    return _digest([project.root / "physnn", project.root / "results"], [project.root / "requirements.lock"], texts)


def site(project: Project) -> str:
    """Digest the staged pages, the package (the API page shows it), the book's tools and the lock."""
    folders = [project.stage, project.root / "physnn", Path(__file__).parent]
    return _digest(folders, [project.root / "requirements.lock"], [])


def scoreboard(project: Project) -> str:
    """Digest the claims, the pages they can link to, the recorded results, and what judges and writes them."""
    files = [project.root / "book" / "claims.yml", project.root / "_toc.yml", Path(__file__).with_name("claims.py")]
    return _digest([project.root / "physnn", project.root / "results"], files, [])


def _digest(folders: list[Path], files: list[Path], texts: list[str]) -> str:
    named = [
        (path.relative_to(folder), path)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    contents = [(str(name), path.read_bytes()) for name, path in named + [(path.name, path) for path in files]]
    contents += [("", text.encode()) for text in texts]
    sha = hashlib.sha256()
    for name, data in contents:  # lengths keep neighbours apart
        sha.update(f"{name}\0{len(data)}\0".encode())
        sha.update(data)
    return sha.hexdigest()
