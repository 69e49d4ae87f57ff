"""The book's pages: in parts, every chapter numbered, every page named at the start, the API complete."""

import re
from pathlib import Path

import pytest
import yaml

import physnn
from book.tools.project import Project

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT, ROOT / "_build")
PARTS = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
CHAPTERS = re.compile(r"(?:I|II|III|IV|V|VI)\. ")
LAB = ROOT / "physnn" / "lab"
# Modules that the page leaves out: those whose names `figures.plots` gives, and those that only processes start.
UNLISTED = re.compile(r"physnn\.lab\.(figures\.plots\.\w+|sweeping\.(execute|undisturbed))")


def test_the_parts_are_numbered_through_and_hold_the_chapters():
    assert "sphinx_multitoc_numbering" in CONFIG["extensions"], "without it each part begins with chapter 1"
    captions = [part.get("caption", "") for part in PARTS]
    numbered = [caption for caption, part in zip(captions, PARTS, strict=True) if part.get("numbered")]
    assert numbered == [caption for caption in captions if CHAPTERS.match(caption)]
    assert [caption.partition(".")[0] for caption in numbered] == ["I", "II", "III", "IV", "V", "VI"][: len(numbered)]
    for part in PARTS:
        pages = [page["file"] for page in part["chapters"]]
        assert not part.get("numbered") or all(page.startswith("notebooks/") for page in pages), pages


def test_the_notebooks_come_in_the_order_of_the_book():
    pages = [page for page in PROJECT.pages if page.startswith("notebooks/")]
    assert [f"notebooks/{source.stem}" for source in PROJECT.sources] == pages


def test_the_introduction_names_every_page_under_its_part():
    intro = (ROOT / "book/intro.md").read_text(encoding="utf-8")
    captions = [part["caption"].rstrip(".") for part in PARTS if "caption" in part]
    assert re.findall(r"^\*\*(.+?)\.\*\*", intro, re.MULTILINE) == captions
    for part in PARTS:
        if "caption" in part:
            (paragraph,) = re.findall(rf"^\*\*{re.escape(part['caption'])}\.\*\*.*$", intro, re.MULTILINE)
            for page in part["chapters"]:
                assert f"{Path(page['file']).name}." in paragraph, f"book/intro.md: {page['file']} is not named"


def test_old_addresses_lead_to_pages_and_hide_none():
    assert set(CONFIG["moved"].values()) <= set(PROJECT.pages)
    assert not set(CONFIG["moved"]) & set(PROJECT.pages)


def modules() -> list[str]:
    """Return the modules of the lab that say what they hold, by their names."""
    files = [path for path in sorted(LAB.rglob("*.py")) if path != LAB / "__init__.py"]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]
    return [name for name in names if not UNLISTED.fullmatch(name)]


def heading(name: str) -> str:
    _, _, room, *rest = name.split(".")
    return f"### `{'.'.join(rest)}`" if rest else f"## {room.capitalize()}"


def members(name: str) -> str:
    return "   :members:\n" if name.count(".") > 2 else ""


def listed(page: str) -> list[str]:
    text = (ROOT / "book" / page).read_text(encoding="utf-8")
    return re.findall(r"^\.\. auto\w+:: ([\w.]+)$", text, re.MULTILINE)


def test_the_page_of_the_lab_lists_every_module_once():
    lacking = sorted(set(modules()) - set(listed("lab.md")))
    lines = [f"{heading(name)}\n\n```{{eval-rst}}\n.. automodule:: {name}\n{members(name)}```\n" for name in lacking]
    assert not lacking, "book/lab.md lacks, in their rooms:\n\n" + "\n".join(lines)
    assert sorted(listed("lab.md")) == sorted(modules()), "book/lab.md lists a module twice, or one that is gone"


def test_a_heading_of_the_lab_names_the_module_below_it():
    text = (ROOT / "book/lab.md").read_text(encoding="utf-8")
    rooms = re.split(r"^## (\w+)$", text, flags=re.MULTILINE)
    for room, body in zip(rooms[1::2], rooms[2::2], strict=True):
        headings = re.findall(r"^### .*$", body, re.MULTILINE)
        own, *names = re.findall(r"automodule:: ([\w.]+)$", body, re.MULTILINE)
        assert heading(own) == f"## {room}"
        assert headings == [heading(name) for name in names]
        assert all(name.startswith(f"{own}.") for name in names), room


@pytest.mark.parametrize("name", physnn.__all__)
def test_the_page_of_the_package_has_every_public_name(name):
    text = (ROOT / "book/api.md").read_text(encoding="utf-8")
    assert f"physnn.{name}" in listed("api.md") or re.search(rf"^   :members:.*\b{name}\b", text, re.MULTILINE)


def test_thirteen_names_are_stable():
    text = (ROOT / "book/api.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"^Thirteen names are stable: (.*?)\. ", text, re.MULTILINE)
    named = re.findall(r"`~physnn\.(\w+)`", sentence)
    assert len(named) == len(set(named)) == 13
    assert set(named) <= set(physnn.__all__)
