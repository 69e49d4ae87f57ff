"""Send the icons that the pages show, and no others.

The theme sends Font Awesome twice: as fonts, and as a script of 1.5 MB that redraws the same icons and is waited for
before anything is shown. Here the script goes, and the fonts and their rules are cut down to the icons that some page,
script or rule names.
"""

import io
import re
from collections.abc import Collection
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

SCRIPT = re.compile(r'[ \t]*<script src="[^"]*/scripts/fontawesome\.js[^"]*"></script>\n')
NAME = re.compile(r"\bfa-[a-z0-9-]+")
RULE = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"(\\?[^"]+)"\}')  # of one icon, with all its names
WOFF2 = re.compile(r'url\([^)]*\.woff2\) format\("woff2"\),(?=url\([^)]*\bfa-)')
NUMBER = re.compile(r"\\([ef][0-9a-f]{3})\b")
FONTS = Path("vendor", "fontawesome", "webfonts")


def lighten(app, exception):
    """Take from the finished site what no page shows.

    Raises:
        RuntimeError: the theme has its icons somewhere else now.
    """
    if exception is not None or app.builder.name != "html":
        return
    out, static = Path(app.outdir), Path(app.outdir, "_static")
    script, fonts = static / "scripts" / "fontawesome.js", static / FONTS
    if not script.exists() or not fonts.is_dir():
        raise RuntimeError(f"{script} and {fonts} are not both there: the icons need another way")
    pages = {page: page.read_text(encoding="utf-8") for page in out.rglob("*.html")}
    scripts = [path.read_text(encoding="utf-8") for path in static.rglob("*.js") if path != script]
    shown = {name for text in [*pages.values(), *scripts] for name in NAME.findall(text)}
    characters: set[int] = set()
    for styles in static.rglob("*.css"):
        kept = used(styles.read_text(encoding="utf-8"), shown)
        styles.write_text(WOFF2.sub("", kept), encoding="utf-8")
        characters |= icons(kept)
    for font in fonts.iterdir():
        made = cut(font, characters) if font.suffix == ".ttf" else b""
        font.write_bytes(made) if made else font.unlink()
    for page, text in pages.items():
        page.write_text(SCRIPT.sub("", text), encoding="utf-8")
    for left in (script, *static.rglob("*.map")):
        left.unlink()


def used(rules: str, shown: Collection[str]) -> str:
    """Return the rules without those of icons that nobody shows."""
    return RULE.sub(lambda found: found[0] if {*shown} & {*NAME.findall(found[1])} else "", rules)


def icons(rules: str) -> set[int]:
    """Return the characters that rules show as icons: those of private use, written as they are or by number."""
    return {ord(each) for each in re.findall("[\ue000-\uf8ff]", rules)} | {int(n, 16) for n in NUMBER.findall(rules)}


def cut(path: Path, codes: set[int]) -> bytes:
    """Return the font with these characters alone; nothing if it has none of them."""
    font = TTFont(path)
    if not codes & set(font.getBestCmap()):
        return b""
    cutter = subset.Subsetter(subset.Options(layout_features=[], name_IDs=[], hinting=False, notdef_outline=False))
    cutter.populate(unicodes=codes)
    cutter.subset(font)
    made = io.BytesIO()
    font.save(made)
    return made.getvalue()


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
