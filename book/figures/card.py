"""Draw the pictures that stand for the book elsewhere: the card of a shared link, and the EPUB's cover.

``python -m book.figures.card`` writes ``book/static/card.png`` and ``book/epub/static/cover.png`` with Chromium,
out of ``book/static/opening.svg``, whose digest they carry: a test says when they are to be drawn again.
"""

import hashlib
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

from physnn.lab.running import command

BOOK = Path(__file__).parents[1]
OPENING = BOOK / "static" / "opening.svg"
SOURCE = "opening.svg sha256"  # the name under which a picture carries the digest
CARD, COVER = BOOK / "static" / "card.png", BOOK / "epub" / "static" / "cover.png"
SIZES = {CARD: (1200, 630), COVER: (1200, 1600)}
COLOURS = 128

PAGE = """<!doctype html><meta charset="utf-8"><style>
@font-face {{ font-family: "Book Serif"; font-weight: 200 900;
  src: url("static/fonts/source-serif-4-latin-wght-normal.woff2") }}
@font-face {{ font-family: "Book Sans"; font-weight: 200 900;
  src: url("static/fonts/source-sans-3-latin-wght-normal.woff2") }}
body {{ background: #fffdf8; color: #22272e; display: flex; margin: 0; width: {width}px; height: {height}px;
  box-sizing: border-box; {flow} }}
h1 {{ font: 650 {title}px/1.08 "Book Sans"; letter-spacing: -0.012em; margin: 0 0 0.35em }}
p {{ font: 400 {text}px/1.35 "Book Serif"; margin: 0; color: #5d646e }}
p.name {{ font: 650 {text}px "Book Sans"; color: #b84a00; margin: 0 0 1em }}
img {{ width: {picture}px }}
</style><body><div><p class="name">physnn</p><h1>What of it is real?</h1>
<p>The physics of phase transitions in a neural network, implemented exactly and measured.</p></div>
<img src="static/opening.svg">"""
LOOK = {
    CARD: {"flow": "padding: 56px; gap: 48px; align-items: center", "title": 68, "text": 31, "picture": 620},
    COVER: {"flow": "padding: 110px 100px; flex-direction: column; justify-content: space-between",
            "title": 128, "text": 48, "picture": 1000},
}  # fmt: skip


def digest() -> str:
    """Return the digest of the picture that the others are made from."""
    return hashlib.sha256(OPENING.read_bytes()).hexdigest()


def main() -> int:
    return command.run("book.figures.card", _main, "a picture that is not finished stays as it was")


def _main() -> int:
    page_file = BOOK / ".card.html"  # beside static/, whose files it names
    said = PngInfo()
    said.add_text(SOURCE, digest())
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for target, (width, height) in SIZES.items():
                page_file.write_text(PAGE.format(width=width, height=height, **LOOK[target]), encoding="utf-8")
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
                page.goto(page_file.as_uri(), timeout=120_000)
                page.evaluate("document.fonts.ready")
                shown = Image.open(io.BytesIO(page.screenshot(timeout=120_000))).convert("RGB")
                shown.quantize(COLOURS).save(target, optimize=True, pnginfo=said)
            browser.close()
    finally:
        page_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
