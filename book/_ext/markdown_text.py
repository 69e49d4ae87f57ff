"""Write a page's article as Markdown, for those that read text: numbers in place, formulas as TeX, figures in words.

What a page folds of its code is left out, as is what only a browser can show.
"""

import re

from bs4 import BeautifulSoup, NavigableString, Tag

ASLEEP = re.compile(r"<(script|style|template)\b.*?</\1>", re.DOTALL)
LEFT_OUT = (
    "a.headerlink, button, input, select, textarea, .live, .copybtn, details.hide, .cell_output style, noscript, "
    "summary.sd-summary-title .sd-summary-icon, mjx-container, #explorer details"
)
LIVE = re.compile(r"interactive-|film-|field-film-")  # the ids of figures that need a script
BLOCKS = set(
    "address article aside blockquote details dd div dl dt fieldset figcaption figure footer h1 h2 h3 h4 h5 h6 header "
    "hr li main nav ol p pre section summary svg table ul".split()
)
MARKS = {"em": "*", "i": "*", "strong": "**", "b": "**"}
LANGUAGE = {"ipython3": "python", "default": "", "none": "", "myst-ansi": ""}


def markdown(body: str, address) -> str:
    """Return the article as Markdown; ``address`` says where a link or picture of the page lies."""
    soup = BeautifulSoup(ASLEEP.sub("", body), "html.parser")
    for node in soup.select(LEFT_OUT):
        node.decompose()
    return "\n\n".join(_Writer(address).blocks(soup)) + "\n"


def _classes(node: Tag) -> list[str]:
    return node.get("class") or []


def _quoted(blocks: list[str]) -> str:
    return "\n".join(f"> {line}".rstrip() for line in "\n\n".join(blocks).splitlines())


def _tex(node: Tag) -> str:
    return re.sub(r"^\s*\\[(\[]|\\[)\]]\s*$", "", node.get_text().strip()).strip()


class _Writer:
    def __init__(self, address):
        self.address = address

    def blocks(self, node: Tag) -> list[str]:
        """Return what a node holds, a text for each block."""
        made, line = [], ""
        for child in [*node.children, None]:
            is_block = isinstance(child, Tag) and self.is_block(child)
            if child is None or is_block:
                if line.strip():
                    made.append(line.strip())
                line = ""
            if is_block:
                made += self.block(child)
            elif child is not None:
                line += self.inline(child)
        return made

    def is_block(self, node: Tag) -> bool:
        return node.name in BLOCKS or (node.name == "span" and node.find(["p", "table", "pre"]) is not None)

    def block(self, node: Tag) -> list[str]:
        """Return the blocks that one node makes."""
        kinds = _classes(node)
        if re.fullmatch("h[1-6]", node.name):
            return [f"{'#' * int(node.name[1])} {self.line(node)}"]
        if node.name in ("p", "figcaption", "summary") and not any(self.is_block(each) for each in node.find_all(True)):
            return [self.line(node)] if self.line(node) else []
        if "math" in kinds:
            return self.formula(node)
        if node.name == "pre":
            return [self.code(node)]
        if "admonition" in kinds or node.name == "details":
            return [_quoted(self.titled(node))]
        if node.name == "blockquote":
            return [_quoted(self.blocks(node))]
        if LIVE.match(node.get("id") or "") or node.name == "svg":
            return self.described(node)
        if found := {"ul": self.items, "ol": self.items, "dl": self.terms, "table": self.table, "hr": self.rule}.get(
            node.name
        ):
            return found(node)
        return self.blocks(node)

    def line(self, node: Tag) -> str:
        return re.sub(" +", " ", "".join(map(self.inline, node.children))).strip()

    def inline(self, node) -> str:
        """Return what a node says within a line."""
        if isinstance(node, NavigableString):
            return re.sub(r"\s+", " ", node) if type(node) is NavigableString else ""
        if node.name == "br":
            return " "
        if node.name == "img":
            return "".join(self.described(node))
        if "math" in _classes(node):
            return f"${_tex(node)}$"
        if node.name == "code":
            return f"`{' '.join(node.get_text().split())}`"
        inside = "".join(map(self.inline, node.children))
        bare = inside.strip()
        if not bare or node.name not in (*MARKS, "a"):
            return inside
        made = f"{MARKS[node.name]}{bare}{MARKS[node.name]}" if node.name in MARKS else bare
        if node.name == "a" and node.get("href"):
            made = f"[{bare}]({self.address(node['href'])})"
        return f"{inside[: len(inside) - len(inside.lstrip())]}{made}{inside[len(inside.rstrip()) :]}"

    def formula(self, node: Tag) -> list[str]:
        number = node.find(class_="eqno")
        said = f" {number.extract().get_text().strip()}" if number else ""
        parts = node.find_all("div") or [node]  # a line of several may break on the page
        formulas = r" \qquad ".join(map(_tex, parts))
        return [f"$$\n{formulas}\n$${said}"]

    def code(self, node: Tag) -> str:
        kinds = " ".join(kind for parent in node.parents for kind in _classes(parent))
        found = re.search(r"\bhighlight-([\w-]+)", kinds)
        language = LANGUAGE.get(found[1], found[1]) if found else ""
        return f"```{language}\n{node.get_text().strip(chr(10))}\n```"

    def titled(self, node: Tag) -> list[str]:
        title = node.find(class_="admonition-title") or node.find("summary")
        said = f"**{self.line(title.extract())}**" if title else ""
        return [said, *self.blocks(node)] if said else self.blocks(node)

    def described(self, node: Tag) -> list[str]:
        """Return a picture as its words, with where it lies; a live one has no place of its own."""
        shown = node if node.name in ("img", "svg") else node.find(["img", "svg"]) or node
        words = node.get("aria-label") or shown.get("alt") or shown.get("aria-label") or ""
        place = shown.get("src", "data:") if shown.name == "img" else "data:"
        if place.startswith("data:"):
            return [f"*A figure: {words}*"] if words else []
        return [f"![{words}]({self.address(place)})"]

    def items(self, node: Tag) -> list[str]:
        made = []
        for number, item in enumerate(node.find_all("li", recursive=False), int(node.get("start", 1))):
            mark = f"{number}. " if node.name == "ol" else "- "
            text = "\n\n".join(self.blocks(item))
            made.append(mark + text.replace("\n", f"\n{' ' * len(mark)}"))
        return ["\n".join(made)] if made else []

    def terms(self, node: Tag) -> list[str]:
        made, signature = [], "py" in _classes(node)
        for child in node.find_all(["dt", "dd"], recursive=False):
            if child.name == "dd":
                made += self.blocks(child)
            elif signature:
                said = " ".join(child.get_text().split()).replace("( ", "(").replace(", )", ")")
                made.append(f"**`{said}`**")
            else:
                made.append(f"**{self.line(child)}**")
        return made

    def table(self, node: Tag) -> list[str]:
        rows = []
        for row in node.find_all("tr"):
            cells = [
                " ".join(self.blocks(cell)).replace("|", "\\|") for cell in row.find_all(["th", "td"], recursive=False)
            ]
            rows.append([" ".join(cell.split()) for cell in cells])
        rows = [row for row in rows if any(row)]
        if not rows:
            return []
        width = max(map(len, rows))
        rows = [[*[""] * (width - len(row)), *row] for row in rows]  # a row may lack what the index above it spans
        caption = node.find("caption")
        drawn = [f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * width, *rows[1:]]]
        return [*([self.line(caption)] if caption else []), "\n".join(drawn)]

    def rule(self, node: Tag) -> list[str]:
        return ["---"]
