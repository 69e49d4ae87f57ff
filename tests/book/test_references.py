"""Every entry of the bibliography is cited, and every citation has an entry: roles in pages, names in docstrings."""

import ast
import re
import unicodedata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for name in ("notebooks", "book") for path in (ROOT / name).glob("[!.]*.md"))
PAGES += sorted((ROOT / "book").glob("*.yml"))
MODULES = sorted((ROOT / "physnn").rglob("*.py"))
ROLE = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`|:cite(?::\w+)?:`([^`]+)`")


def bare(text: str) -> str:
    """Return text without accents, TeX's included, and with single spaces."""
    text = re.sub(r"""\\(?:["'`^~=.]|[cHkuvr](?![a-z]))\s*|\\(?=o\b)|[{}]""", "", text).replace("ø", "o")
    text = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in text if not unicodedata.combining(c)).split())


def entries() -> dict[str, tuple[str, str]]:
    """Return the surname of the first author and the year of every entry."""
    found = {}
    for body in re.findall(
        r"^@\w+\{(.*?)^\}", (ROOT / "book/references.bib").read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        key, fields = body.split(",", 1)
        author = re.search(r"^ +author += \{(.*)\}", fields, re.MULTILINE)[1]
        year = re.search(r"^ +year += \{(\d{4})\}", fields, re.MULTILINE)[1]
        assert key not in found, f"{key} is there twice"
        found[key] = bare(author.split(" and ")[0].split(",")[0]), year
    return found


ENTRIES = entries()


def cited(text: str) -> set[str]:
    return {key.strip() for match in ROLE.finditer(text) for key in (match[1] or match[2]).split(",")}


def docstrings(module: Path) -> str:
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    nodes = [node for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, kinds)]
    return bare(" ".join(ast.get_docstring(node) or "" for node in nodes))


def named(text: str) -> dict[tuple[int, str], set[str]]:
    """Return for each year that closes a reference, like "Kramers (1940)", the entries that it can mean."""
    found = {}
    for match in re.finditer(r"\b((?:19|20)\d\d)(?=[),;])", text):
        before = text[max(0, match.start() - 80) : match.start()]
        found[match.start(), before[-30:] + match[1]] = {
            key for key, (surname, year) in ENTRIES.items() if year == match[1] and re.search(rf"\b{surname}\b", before)
        }
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_key_has_an_entry(page):
    assert cited(page.read_text("utf-8")) <= set(ENTRIES)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_every_work_named_in_a_docstring_has_an_entry(module):
    unknown = [words for (_, words), keys in named(docstrings(module)).items() if not keys]
    assert not unknown


def test_every_entry_is_cited():
    known = set().union(*(cited(page.read_text("utf-8")) for page in PAGES))
    known |= {key for module in MODULES for keys in named(docstrings(module)).values() for key in keys}
    assert set(ENTRIES) <= known, f"cite them or take them out: {sorted(set(ENTRIES) - known)}"


def test_what_the_search_for_names_finds():
    (found,) = named(bare("Grønbech-Jensen & Farago (2013)")).values()
    assert found == {"gronbech2013"}
    (found,) = named(bare("as in Brünger, Brooks & Karplus (1984).")).values()
    assert found == {"brunger1984"}
    assert list(named("Nobody (1984)").values()) == [set()] and not named("the year 1984 in 1984 steps")
