"""Draw the book's icon for browsers and telephones that take no SVG: ``python -m book.figures.icon``.

It is ``book/static/favicon.svg``, whose digest the pictures carry: a test says when they are to be drawn again. On a
telephone's screen, which rounds the corners itself, the picture fills its square.
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

STATIC = Path(__file__).parents[1] / "static"
ICON = STATIC / "favicon.svg"
SOURCE = "favicon.svg sha256"  # the name under which a picture carries the digest
SMALL, LARGE = STATIC / "favicon.png", STATIC / "apple-touch-icon.png"
SIZES = {SMALL: 96, LARGE: 180}
ROUND = ' rx="7"'


def digest() -> str:
    """Return the digest of the picture that the others are made from."""
    return hashlib.sha256(ICON.read_bytes()).hexdigest()


def main() -> int:
    return command.run("book.figures.icon", _main, "a picture that is not finished stays as it was")


def _main() -> int:
    said = PngInfo()
    said.add_text(SOURCE, digest())
    drawn = ICON.read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for target, size in SIZES.items():
            page = browser.new_page(viewport={"width": size, "height": size})
            shown = drawn.replace(ROUND, "") if target == LARGE else drawn
            page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block; width: {size}px }}</style>{shown}")
            picture = Image.open(io.BytesIO(page.screenshot(omit_background=True, timeout=120_000)))
            picture.quantize(64, method=Image.Quantize.FASTOCTREE).save(target, optimize=True, pnginfo=said)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
