"""Set mathematics as MathML, for pages on which no script runs."""

import html
import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number

BIG = re.compile(r"\\[bB]igg?([lrm])\\(langle|rangle|lvert|rvert)")  # the converter leaves these as TeX
BRACE = re.compile(r"\\[bB]igg?([lr])(?=\\[{}])")
BAR = re.compile(r"<mo[^>]*>(&#x0007C;|&#x02016;)</mo>")  # without its own space: it may open, close or divide
NAME = re.compile(r"<m([io])[^>]*>([a-z]{2,})</m\1>")  # cosh, mean: a space on both sides, or a cosh reads as acosh
NESTING = re.compile(r"\\(?:begin|end|left|right|q?quad)(?![a-zA-Z])|\\.|[{}]", re.DOTALL)
OPENS, CLOSES = ("{", r"\begin", r"\left"), ("}", r"\end", r"\right")
SIDES = {"l": "left", "r": "right"}
SIGNS = {"langle": "⟨", "rangle": "⟩", "lvert": "|", "rvert": "|"}
LONG, WIDE = 24, 60  # characters of a formula that a phone, and a page, may not hold at full size


def mathml(tex: str, *, block: bool) -> str:
    """Return the formula as a MathML element, its TeX as what is read where MathML is unknown.

    Raises:
        ValueError: the converter does not know some command.
    """
    source = re.sub(r"\{(?:aligned|split)\}", "{align*}", tex.strip())
    if r"\\" in source and r"\begin" not in source:  # lines without an environment, as Sphinx allows
        source = rf"\begin{{align*}}{source}\end{{align*}}"
    source = re.sub(r"('+)\^(\w)", lambda found: r"^{" + r"\prime" * len(found[1]) + rf"\,{found[2]}}}", source)
    source = BIG.sub(lambda found: rf"\big{found[1]}{SIGNS[found[2]]}", source)
    source = BRACE.sub(lambda found: rf"\{SIDES[found[1]]}", source)
    try:
        made = convert(source, display="block" if block else "inline")
    except Exception as error:  # the converter's own kinds say nothing of the formula
        raise ValueError(f"no MathML for {tex!r}: {type(error).__name__}") from error
    if unknown := re.findall(r">(\\[^<]+)<|<mi>&<", made):
        raise ValueError(f"no MathML for {unknown} in {tex!r}")
    made = BAR.sub(lambda found: found[0].replace("<mo", '<mo lspace="0" rspace="0"', 1), made)
    made = NAME.sub(r'<mo lspace="0.17em" rspace="0.17em">\2</mo>', made)
    size = max(len(html.unescape(re.sub("<[^>]+>", "", row))) for row in made.split("<mtr>"))
    kind = ' class="wide"' if size > WIDE else ' class="long"' if size > LONG else ""
    said = html.escape(" ".join(tex.split()))
    made = made.replace(' display="block"', ' displaystyle="true"', 1)
    return made.replace("<math", f'<math{kind} alttext="{said}"', 1)


def pieces(tex: str) -> list[str]:
    """Return the parts of a formula between its wide spaces, where a narrow page may break it."""
    depth, cuts = 0, [(0, 0)]
    for found in NESTING.finditer(tex):
        depth += (found[0] in OPENS) - (found[0] in CLOSES)
        if not depth and found[0].endswith("quad"):
            cuts.append(found.span())
    ends = [start for start, _ in cuts[1:]] + [len(tex)]
    return [part for (_, start), end in zip(cuts, ends, strict=True) if (part := tex[start:end].strip())]


def visit_math(self, node):
    """Write a formula within a line."""
    self.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def visit_displaymath(self, node):
    """Write a formula of its own, with its number."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    for part in re.split(r"\n\s*\n", node.astext().strip()):
        self.body.append(f"<div>{' '.join(mathml(piece, block=True) for piece in pieces(part))}</div>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
