"""Pack the built book for reading without a network: ``python -m book.tools.bundle``.

One zip holds the site, which opens from a folder, the executed notebooks in it, and the recorded results with
their designs. The same book gives the same bytes: names are sorted, and the files' times are left out.
"""

from __future__ import annotations

import sys
import tomllib
import zipfile
from pathlib import Path

from book.tools.place import at_work
from book.tools.project import HERE, BookError, Project
from physnn.lab.running import command
from physnn.lab.running.closure import of_an_editor

NAME = "physnn-book"
KEPT = "the one of before is kept"
README = """The book, to be read without a network.

index.html                 open it in a browser: everything works from this folder, the search too
_sources/notebooks/*.ipynb the chapters as they were executed, with their outputs
results/                   the recorded studies: design, table, and where it came from
requirements.lock          the versions all of it was made with

The program that makes it: {address}
"""
LEFT_OUT = (".zip", ".epub")  # other publications that lie beside the pages
EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip can name


def bundle(project: Project, html: Path, target: Path) -> None:
    """Write the zip of the site ``html`` and of the project's results to ``target``.

    Raises:
        BookError: there is no built book.
    """
    if not (html / "index.html").exists():
        raise BookError(f"there is no book in {html}: run `make book`")
    files = {path.relative_to(html): path for path in html.rglob("*") if path.suffix not in LEFT_OUT}
    files = {name: path for name, path in files.items() if not name.match("_static/*.html")}  # the theme's templates
    files.pop(Path("404.html"), None)  # for a server, and with its addresses
    results = project.root / "results"
    files |= {Path("results") / path.relative_to(results): path for path in results.rglob("*")}
    files |= {Path(name): project.root / name for name in ("LICENSE", "CITATION.cff", "requirements.lock")}
    contents = {
        name.as_posix(): path.read_bytes()
        for name, path in files.items()
        if path.is_file() and not any(map(of_an_editor, name.parts))
    }
    contents["README.txt"] = README.format(address=_address(project)).encode()
    write(target, {f"{NAME}/{name}": data for name, data in contents.items()})


def write(target: Path, contents: dict[str, bytes], first: str | None = None) -> None:
    """Write ``contents`` to a zip whose bytes depend on nothing else; ``first`` leads it, not compressed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(contents, key=lambda name: (name != first, name)):
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.compress_type = zipfile.ZIP_STORED if name == first else zipfile.ZIP_DEFLATED
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                archive.writestr(entry, contents[name])
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _address(project: Project) -> str:
    return tomllib.loads((project.root / "pyproject.toml").read_text())["project"]["urls"]["Repository"]


def main() -> int:
    """Pack the book in ``_build``; return the exit status."""
    project = Project(HERE, HERE / "_build")
    return command.run("make bundle", lambda: _main(project), KEPT)


def _main(project: Project) -> int:
    target = project.out / f"{NAME}.zip"
    try:
        with at_work(project):
            bundle(project, project.html, target)
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The book to take along is {target} ({target.stat().st_size / 1e6:.0f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
