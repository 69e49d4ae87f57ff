"""Make the book as an EPUB: ``python -m book.tools.epub [--out _build]``.

It is made from the executed notebooks of the site. What moves or reacts on the site stands still: its poster, or
the picture it shows where no script runs. Formulas are MathML. No page holds a script, a style of its own, or
anything that lies elsewhere.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import nbformat

from book.tools import bundle, stills
from book.tools import stage as staging
from book.tools.build import alone
from book.tools.project import HERE, BookError, Project

XHTML = "{http://www.w3.org/1999/xhtml}"
OPF = "{http://www.idpf.org/2007/opf}"
ITEM = re.compile(r'<item (id="[^"]+") href="([^"]+)" (media-type="[^"]+") />')
SCRIPT = re.compile(r"\s*<script\b[^>]*?(?:/>|>.*?</script>)", re.DOTALL)
COVER = "_static/cover.png"


def epub(project: Project, target: Path) -> None:
    """Write the EPUB of the executed notebooks and the prose to ``target``.

    Raises:
        BookError: the notebooks have not been executed, Sphinx complains, or a page is not what an EPUB may hold.
    """
    for source in project.sources:
        if not (project.executed / f"{source.stem}.ipynb").exists():
            raise BookError(f"{source.name} has not been executed: run `make book`")
    stage, work = project.out / "epub-stage", project.out / "epub-work"
    staging.stage(project, stage)
    shutil.copy2(project.root / "book/epub/conf.py", stage / "conf.py")
    for path in sorted((stage / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            stills.still(cell, path.name)
        nbformat.write(notebook, path)
    shutil.rmtree(work, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-b", "epub", "-W", "-n", "--keep-going", "-q", stage, work]
    environment = os.environ | {"SOURCE_DATE_EPOCH": _date(project)}
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )
    if result.returncode:
        raise BookError(f"{result.stdout.rstrip()}\n\nSphinx complained")
    with zipfile.ZipFile(work / "book.epub") as made:
        contents = {name: made.read(name) for name in made.namelist()}
    bundle.write(target, finished(contents), first="mimetype")
    shutil.rmtree(work)
    shutil.rmtree(stage)


def finished(contents: dict[str, bytes]) -> dict[str, bytes]:
    """Return Sphinx's files as an EPUB 3 wants them: without scripts, the manifest saying what each page holds.

    Raises:
        BookError: a page is not well-formed.
    """
    contents = {name: data for name, data in contents.items() if not name.endswith(".js")}
    holds: dict[str, list[str]] = {}
    for name in [name for name in contents if name.endswith(".xhtml")]:
        text = SCRIPT.sub("", contents[name].decode())
        try:
            root = ElementTree.fromstring(text)
        except ElementTree.ParseError as error:
            line = text.splitlines()[error.position[0] - 1]
            raise BookError(
                f"{name} is not well-formed: {error}\n{line[max(0, error.position[1] - 200) :][:300]}"
            ) from error
        contents[name] = text.encode()
        tags = {element.tag.partition("}")[2] or element.tag for element in root.iter()}
        holds[name] = [kind for kind, tag in (("mathml", "math"), ("svg", "svg")) if tag in tags]
    (package,) = (name for name in contents if name.endswith(".opf"))

    def item(found: re.Match) -> str:
        href = found[2]
        if href not in contents:
            return ""
        properties = " ".join(holds.get(href, []) + ["cover-image"] * (href == COVER))
        said = f' properties="{properties}"' if properties else ""
        return f'<item {found[1]} href="{href}" {found[3]}{said} />'

    contents[package] = ITEM.sub(item, contents[package].decode()).encode()
    return contents


def _date(project: Project) -> str:
    """Return the time the EPUB carries: what the environment says, or that of the last commit."""
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        return said
    command = ["git", "-C", str(project.root), "log", "-1", "--format=%ct"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "0"


def main(arguments: list[str] | None = None) -> int:
    """Make the EPUB as told on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Make the book as an EPUB.")
    parser.add_argument("--out", type=Path, default=HERE / "_build", help="where the executed notebooks are")
    options = parser.parse_args(arguments)
    project = Project(HERE, options.out.resolve())
    target = project.out / f"{bundle.NAME}.epub"
    try:
        with alone(project.out):
            epub(project, target)
    except BookError as error:
        print(f"The EPUB was not made.\n\n{error}", file=sys.stderr)
        return 1
    print(f"The EPUB is {target} ({target.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
