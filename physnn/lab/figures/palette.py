"""The book's colours: one name each, with a value for the light page and one for the dark page.

The four roles descend from the colour-blind safe palette of Okabe and Ito (vermillion, blue, bluish
green, reddish purple), darkened on the light paper and lightened on the dark one until text in them
is readable. ``book/static/physnn.css`` repeats these values; the tests hold the two together.
"""

from typing import NamedTuple


class Token(NamedTuple):
    """A colour on the light and on the dark page, as lower-case ``#rrggbb``."""

    light: str
    dark: str


TOKENS = {
    "proposal": Token("#b84a00", "#ff8f52"),  # what the post proposes, as printed
    "baseline": Token("#0068a8", "#5cb3ea"),  # what it is compared with
    "corrected": Token("#007a5a", "#3fc89c"),  # the proposal with a named correction
    "theory": Token("#a0447c", "#e69fcb"),  # what a formula predicts
    "ink": Token("#22272e", "#e6e3dc"),
    "muted": Token("#5d646e", "#a7adb5"),
    "grid": Token("#e3dfd6", "#333a43"),
    "paper": Token("#fffdf8", "#171b21"),
}

ROLES = ("proposal", "baseline", "corrected", "theory", "ink", "muted")


def dark_stylesheet() -> str:
    """Return the CSS that turns an SVG drawn in the light values into its dark version.

    Every rule matches one literal light value in an element's ``style``, so that a viewer which
    knows no CSS still shows the light figure, and rasters (``imshow``) are never recoloured.
    ``!important`` is what lets a rule win over the element's own ``style``.
    """
    rules = "".join(
        f'[style*="{kind}: {token.light}"]{{{kind}:{token.dark}!important}}'
        for token in TOKENS.values()
        for kind in ("fill", "stroke")
    )
    return f"@media (prefers-color-scheme: dark){{{rules}}}"
