"""Turn what a notebook shows in a browser into what stands in a book without scripts."""

from __future__ import annotations

import base64
import html
import re
from html.parser import HTMLParser

import nbformat

from book.tools.project import BookError

PICTURE = re.compile(r'<img alt="([^"]*)" src="data:image/(svg\+xml|png);base64,([^"]+)">')
DRAWING = re.compile(r"<svg (.*?)>(.*?)</svg>", re.DOTALL)
LABEL = re.compile(r'aria-label="([^"]*)"')
COLOUR = re.compile(r"var\(--[a-z]+, (#[0-9a-f]{6})\)")
LETTERS = "text { font: 18px sans-serif; fill: #22272e }"
VOID = {"br", "col", "hr", "img", "wbr"}


def still(cell: nbformat.NotebookNode, where: str) -> None:
    """Replace the cell's live outputs by their still pictures, and its tables by well-formed ones.

    Raises:
        BookError: an output needs a script and holds no picture.
    """
    for output in cell.get("outputs", []):
        page = output.get("data", {}).get("text/html")
        if page is None:
            continue
        if "<script" not in page:
            output.data["text/html"] = plain(page)
            continue
        del output.data["text/html"]
        if found := PICTURE.search(page):
            alt, kind, data = found[1], found[2], found[3]
            output.data[f"image/{kind}"] = base64.b64decode(data).decode() if kind == "svg+xml" else data
        elif found := DRAWING.search(page):
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
    """Return the HTML as XML, rules of its style sheets that name an element by its id moved into that element."""
    styles = {}
    for sheet in re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL):
        for names, rules in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet):
            for name in re.findall(r"#([\w-]+)\s*(?:,|$)", names.strip()):
                styles[name] = styles.get(name, "") + " ".join(rules.split())
    writer = _Writer(styles)
    writer.feed(re.sub(r"<style[^>]*>.*?</style>", "", page, flags=re.DOTALL))
    writer.close()
    return "".join(writer.parts)


class _Writer(HTMLParser):
    def __init__(self, styles: dict[str, str]) -> None:
        super().__init__(convert_charrefs=True)
        self.styles, self.parts = styles, []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs if name not in ("border", "id")}
        if own := self.styles.get(dict(attrs).get("id", "")):
            values["style"] = f"{values.get('style', '')} {own}".strip()
        said = "".join(f' {name}="{html.escape(value)}"' for name, value in values.items())
        self.parts.append(f"<{tag}{said}{' /' if tag in VOID else ''}>")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(html.escape(data, quote=False))
