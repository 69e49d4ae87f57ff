"""Turn what a notebook shows in a browser into what stands in a book without scripts."""

from __future__ import annotations

import base64
import html
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import nbformat

from book.tools.project import BookError

PICTURE = re.compile(r'<img alt="([^"]*)" src="data:image/(svg\+xml|png);base64,([^"]+)">')
DRAWING = re.compile(r"<svg (.*?)>(.*?)</svg>", re.DOTALL)
LABEL = re.compile(r'aria-label="([^"]*)"')
COLOUR = re.compile(r"var\(--[a-z]+, (#[0-9a-f]{6})\)")
ASLEEP = re.compile(r"<(style|script)[^>]*>.*?</\1>", re.DOTALL)
LETTERS = "text { font: 18px sans-serif; fill: #22272e }"
INTERVAL = re.compile(r"([^\[\]]*)(\[[^\[\]]*\])([^\[\]]*)")  # its style sheet says where it may break
VOID = {"br", "col", "hr", "img", "wbr"}
CLOSED_BY = {"td": {"td", "th", "tr"}, "th": {"td", "th", "tr"}, "tr": {"tr", "tbody"}}  # what HTML may leave open
NARROW = 5  # columns that a page of a reader holds, and from which on a table is set small


def still(cell: nbformat.NotebookNode, where: str) -> None:
    """Replace the cell's live outputs by their still pictures, and its tables by well-formed ones.

    Raises:
        BookError: an output needs a script and holds no picture.
    """
    for output in cell.get("outputs", []):
        page = output.get("data", {}).get("text/html")
        if page is None:
            continue
        picture, drawing = PICTURE.search(page), DRAWING.search(page)
        tables = not (picture or drawing) and "<table" in ASLEEP.sub("", page)
        if "<script" not in page or tables:
            output.data["text/html"] = plain(page)
            continue
        del output.data["text/html"]
        if found := picture:
            alt, kind, data = found[1], found[2], found[3]
            output.data[f"image/{kind}"] = base64.b64decode(data).decode() if kind == "svg+xml" else data
        elif found := drawing:
            alt = LABEL.search(found[1])[1]
            inside = COLOUR.sub(r"\1", found[2])
            size = re.search(r'viewBox="[^"]*"', found[1])[0]
            output.data["image/svg+xml"] = (
                f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{LETTERS}</style>{inside}</svg>'
            )
        else:
            raise BookError(f"{where}: an output needs a script and holds no picture for where none runs")
        cell.metadata.setdefault("mystnb", {}).setdefault("image", {})["alt"] = html.unescape(alt)


def plain(page: str) -> str:
    """Return the HTML as XML that needs no script: what only a script fills is left out, wide tables are narrowed.

    Rules of its style sheets that name a table's cell by its id are moved into the cell, the others are left out.
    """
    styles = {}
    for sheet in re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL):
        for names, rules in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet):
            for name in re.findall(r"#([\w-]+)\s*(?:,|$)", names.strip()):
                styles[name] = styles.get(name, "") + " ".join(rules.split())
    reader = _Reader()
    reader.feed(ASLEEP.sub("", page))
    tree = reader.tree()
    for parent in list(tree.iter()):
        for child in [child for child in parent if "live" in child.get("class", "").split()]:
            parent.remove(child)
    for table in tree.iter("table"):
        _narrow(table)
        if max(len(list(row)) for row in table.iter("tr")) >= NARROW:
            table.set("class", f"{table.get('class', '')} wide".strip())
    for element in tree.iter():
        if element.tag == "td" and (found := INTERVAL.fullmatch(element.text or "")):
            element.text = found[1]
            interval = ElementTree.SubElement(element, "span", {"class": "interval"})
            interval.text, interval.tail = found[2].replace("\N{NO-BREAK SPACE}", " "), found[3]
        if element.tag in ("td", "th") and (own := styles.get(element.get("id", ""))):
            element.set("style", f"{element.get('style', '')} {own}".strip())
        for name in ("border", "halign", "id", "role", "tabindex", "valign"):
            element.attrib.pop(name, None)
        if re.fullmatch(r"[\w-]+\.html", element.get("href", "")):  # another page of the book
            element.set("href", element.get("href").replace(".html", ".xhtml"))
    return "".join(ElementTree.tostring(part, encoding="unicode") for part in tree)


def _narrow(table: ElementTree.Element) -> None:
    """Take the columns out of a wide table of the explorer that are not essential; the first is its arm."""
    rows = list(table.iter("tr"))
    columns = list(rows[0])
    if len(columns) <= NARROW or not any("data-key" in cell.attrib for cell in columns):
        return
    kept = ["data-key" not in cell.attrib or "data-essential" in cell.attrib for cell in columns]
    for row in rows:
        for cell, keep in zip(list(row), kept, strict=True):
            if not keep:
                row.remove(cell)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.made, self.open = ElementTree.TreeBuilder(), []
        self.made.start("div", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        while self.open and tag in CLOSED_BY.get(self.open[-1], ()):
            self.made.end(self.open.pop())
        self.made.start(tag, {name: value or "" for name, value in attrs})
        if tag in VOID:
            self.made.end(tag)
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self.open:
            self.made.end(closed := self.open.pop())
            if closed == tag:
                break

    def handle_data(self, data: str) -> None:
        self.made.data(data)

    def tree(self) -> ElementTree.Element:
        self.close()
        while self.open:
            self.made.end(self.open.pop())
        self.made.end("div")
        return self.made.close()
