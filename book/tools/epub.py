"""Make the book as an EPUB: ``python -m book.tools.epub``.

It is made from the executed notebooks of the site. What moves or reacts on the site stands still: its poster, or
the picture it shows where no script runs. Formulas are MathML. No page holds a script, a style of its own, or
anything that lies elsewhere.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import nbformat

from book.tools import bundle, epub_access, sphinx_run, stills
from book.tools import stage as staging
from book.tools.place import at_work
from book.tools.project import HERE, BookError, Project
from physnn.lab.running import command

ITEM = re.compile(r'<item id="([^"]+)" href="([^"]+)" (media-type="[^"]+") />')
ENTRY = re.compile(r'<li>\s*<a href="([^"]+)">(.*?)</a>\s*</li>', re.DOTALL)  # of the table of contents
NUMBER = re.compile(r'<h1><span class="section-number">(.*?)</span>')
COVER = "_static/cover.png"
LEFT_OUT = re.compile(r"_static/(?!cover\.png|epub\.css|pygments\.css)|.*\.js")  # what serves the site
FOLD = r"<summary[^>]*>\s*<p[^>]*>Show code cell (\w+)</p>.*?</summary>"
PAGE = [  # what Sphinx and MyST-NB write and an EPUB may not hold, and what stands in its place
    (re.compile(r"\s*<script\b[^>]*?(?:/>|>.*?</script>)", re.DOTALL), ""),
    (re.compile(r'\s*<link [^>]*href="(?:\.\./)*_static/(?!epub\.css|pygments\.css)[^>]*>'), ""),
    (re.compile(r'(<link [^>]*epub\.css" />)(.*)\1', re.DOTALL), r"\1\2"),
    (re.compile(r'<details class="admonition '), '<details class="'),
    (re.compile(FOLD, re.DOTALL), "<summary>The cell’s \\1</summary>"),
    (re.compile(r' role="(?:doc-biblioentry|main)"'), ""),
    (re.compile(r'\s*<meta name="viewport" [^>]*>'), ""),
]


SPHINX = (sys.executable, "-m", "sphinx")


def epub(project: Project, target: Path, sphinx: Sequence[str | Path] = SPHINX) -> None:
    """Write the EPUB of the executed notebooks and the prose to ``target``; ``sphinx`` is the command that makes it.

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
    options = ["-b", "epub", "-W", "-n", "--keep-going", "-q", "-d", work / "doctrees"]
    made_by = [*sphinx, *options, stage, work / "made"]
    result = sphinx_run.run(project, made_by, SOURCE_DATE_EPOCH=_date(project))
    if result.returncode:
        raise BookError(f"{result.stdout.rstrip()}\n\nSphinx complained")
    with zipfile.ZipFile(work / "made" / "book.epub") as made:
        contents = {name: made.read(name) for name in made.namelist()}
    contents = finished(contents, staging.pages(project))
    contents["nav.xhtml"] = in_parts(contents, project.parts)
    contents["content.opf"] = epub_access.described(contents["content.opf"])
    bundle.write(target, contents, first="mimetype")
    shutil.rmtree(work)
    shutil.rmtree(stage)


def finished(contents: dict[str, bytes], pages: list[str]) -> dict[str, bytes]:
    """Return Sphinx's files as an EPUB 3 wants them: without scripts, ``pages`` read in their order.

    Raises:
        BookError: a page is not well-formed.
    """
    contents = {name: data for name, data in contents.items() if not LEFT_OUT.fullmatch(name)}
    package = contents["content.opf"].decode()
    address = re.search(r"<dc:identifier[^>]*>(.*?)<", package)[1]
    holds: dict[str, list[str]] = {}
    for name in contents:
        if name.endswith(".xhtml"):
            contents[name] = (text := _page(contents[name].decode())).encode()
            tags = {element.tag.partition("}")[2] or element.tag for element in _parsed(name, text).iter()}
            holds[name] = [kind for kind, tag in (("mathml", "math"), ("svg", "svg")) if tag in tags]
        elif name.endswith(".svg"):  # matplotlib gives two equal images in a figure one name, and uses neither
            contents[name] = re.sub(rb'(<image [^>]*?)\bid="image\w+" ', rb"\1", contents[name])
        elif name.endswith(".ncx"):
            contents[name] = contents[name].replace(b"book/../", b"").replace(b'"book-id"', f'"{address}"'.encode())
    identifiers = {href: identifier for identifier, href, _ in ITEM.findall(package)}

    def item(found: re.Match) -> str:
        properties = " ".join(holds.get(found[2], []) + ["cover-image"] * (found[2] == COVER))
        said = f' properties="{properties}"' if properties else ""
        return f'<item id="{found[1]}" href="{found[2]}" {found[3]}{said} />' if found[2] in contents else ""

    spine = "".join(f'\n    <itemref idref="{identifiers[f"{page}.xhtml"]}" />' for page in pages)
    package = re.sub(r"(<spine[^>]*>).*?(\s*</spine>)", rf"\1{spine}\2", package, flags=re.DOTALL)
    return contents | {"content.opf": ITEM.sub(item, package).encode()}


def in_parts(contents: dict[str, bytes], parts: list[tuple[str, list[str]]]) -> bytes:
    """Return the table of contents with its chapters numbered and below the captions of their parts."""
    text = contents["nav.xhtml"].decode()
    entries = dict(ENTRY.findall(text))

    def entry(page: str) -> str:
        place = f"{page}.xhtml"
        number = NUMBER.search(contents[place].decode())
        return f'<li><a href="{place}">{number[1] if number else ""}{entries.pop(place)}</a></li>'

    listed = []
    for caption, pages in parts:
        rows = "\n".join(map(entry, pages))
        listed.append(f"<li><span>{html.escape(caption)}</span>\n<ol>\n{rows}\n</ol></li>" if caption else rows)
    first = [f'<li><a href="{place}">{title}</a></li>' for place, title in entries.items()]
    return re.sub(
        r"<ol>.*</ol>", lambda _: "\n".join(["<ol>", *first, *listed, "</ol>"]), text, flags=re.DOTALL
    ).encode()


def _page(text: str) -> str:
    for unwanted, wanted in PAGE:
        text = unwanted.sub(wanted, text)
    return text.replace('href="book/../', 'href="')  # in the table of contents, as the first page lies in a folder


def _parsed(name: str, text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        line = text.splitlines()[error.position[0] - 1][max(0, error.position[1] - 200) :]
        raise BookError(f"{name} is not well-formed: {error}\n{line[:300]}") from error


def _date(project: Project) -> str:
    """Return the time the EPUB carries: what the environment says, or that of the last commit."""
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        return said
    asked = ["git", "-C", str(project.root), "log", "-1", "--format=%ct"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "0"
    except OSError:  # no git
        return "0"


def main() -> int:
    """Make the EPUB of the book in ``_build``; return the exit status."""
    project = Project(HERE, HERE / "_build")
    return command.run("make epub", lambda: _main(project), bundle.KEPT)


def _main(project: Project) -> int:
    target = project.out / f"{bundle.NAME}.epub"
    try:
        with at_work(project):
            epub(project, target)
    except BookError as error:
        print(f"The EPUB was not made.\n\n{error}", file=sys.stderr)
        return 1
    print(f"The EPUB is {target} ({target.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
