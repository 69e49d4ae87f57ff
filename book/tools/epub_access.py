"""Say in the EPUB who can read it and how, in the words of schema.org that stores and readers look for."""

from __future__ import annotations

import html

# The tests of the EPUB hold what is said here: every picture has its description, formulas are MathML, nothing moves.
SAID = {
    "accessMode": ["textual", "visual"],
    "accessModeSufficient": ["textual", "textual,visual"],
    "accessibilityFeature": [
        "alternativeText",
        "displayTransformability",
        "MathML",
        "readingOrder",
        "structuralNavigation",
        "tableOfContents",
    ],
    "accessibilityHazard": ["none"],
    "accessibilitySummary": [
        "All text can be resized and reflowed. Every figure has a caption that states its finding and a description; "
        "what moves on the site is a still picture here. Formulas are MathML with their TeX as text. Tables are marked "
        "up as tables. Nothing flashes, moves or sounds. Nobody has audited the book."
    ],
}
END = "</metadata>"


def described(package: bytes) -> bytes:
    """Return the package file with what the book offers in its metadata.

    Raises:
        ValueError: it has no metadata.
    """
    text = package.decode()
    if text.count(END) != 1:
        raise ValueError(f"the package file closes its metadata {text.count(END)} times, not once")
    lines = "".join(
        f'  <meta property="schema:{name}">{html.escape(value)}</meta>\n    '
        for name, values in SAID.items()
        for value in values
    )
    return text.replace(END, f"{lines}{END}").encode()
