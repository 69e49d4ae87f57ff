"""The stylesheet: one set of colours with the figures, small fonts, their licence beside them."""

import re
from pathlib import Path

from physnn.lab.figures.palette import TOKENS

ROOT = Path(__file__).resolve().parents[2]


def test_stylesheet_and_figures_share_their_colours():
    css = (ROOT / "book/static/physnn.css").read_text()
    for theme in ("light", "dark"):
        block = re.search(rf'html\[data-theme="{theme}"\] \{{(.*?)\}}', css, re.DOTALL).group(1)
        declared = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", block))
        assert {name: declared.get(name) for name in TOKENS} == {
            name: getattr(token, theme) for name, token in TOKENS.items()
        }


def test_every_rule_of_the_stylesheet_ends():
    """One brace too few, and all that follows is of print alone; a comment at the top level begins a block of rules."""
    css = (ROOT / "book/static/physnn.css").read_text()
    depth = 0
    for comment, brace in re.findall(r"(/\*.*?\*/)|([{}])", css, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        assert depth >= 0
        assert depth == 0 or not comment.startswith("/*\n"), comment
    assert depth == 0


def test_fonts_are_small_and_licensed():
    fonts = ROOT / "book/static/fonts"
    assert sum(font.stat().st_size for font in fonts.glob("*.woff2")) < 400_000
    assert "SIL OPEN FONT LICENSE" in (fonts / "OFL.txt").read_text()
    named = set(re.findall(r"fonts/([\w-]+\.woff2)", (ROOT / "book/static/physnn.css").read_text()))
    assert named == {font.name for font in fonts.glob("*.woff2")}
