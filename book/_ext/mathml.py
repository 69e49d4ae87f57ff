"""Set mathematics as MathML, for pages on which no script runs."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number

BIG = re.compile(r"\\([bB]igg?[lrm])\\(langle|rangle|lvert|rvert)")  # the converter leaves these as TeX
NAME = re.compile(r"<m([io])[^>]*>([a-z]{2,})</m\1>")  # cosh, mean: a space on both sides, or a cosh reads as acosh
LONG = 45  # characters of a formula that may not fit in a line
SIGNS = {"langle": "⟨", "rangle": "⟩", "lvert": "|", "rvert": "|"}


def mathml(tex: str, *, block: bool) -> str:
    """Return the formula as a MathML element, its TeX as what is read where MathML is unknown.

    Raises:
        ValueError: the converter does not know some command.
    """
    source = re.sub(r"\{(?:aligned|split)\}", "{align*}", tex.strip())
    if r"\\" in source and r"\begin" not in source:  # lines without an environment, as Sphinx allows
        source = rf"\begin{{align*}}{source}\end{{align*}}"
    source = re.sub(r"('+)\^(\w)", lambda found: r"^{" + r"\prime" * len(found[1]) + rf"\,{found[2]}}}", source)
    source = BIG.sub(lambda found: rf"\{found[1]}{SIGNS[found[2]]}", source)
    try:
        made = convert(source, display="block" if block else "inline")
    except Exception as error:  # the converter's own kinds say nothing of the formula
        raise ValueError(f"no MathML for {tex!r}: {type(error).__name__}") from error
    if unknown := re.findall(r">(\\[a-zA-Z]+)<|<mi>&<", made):
        raise ValueError(f"no MathML for {unknown} in {tex!r}")
    return NAME.sub(r'<mo lspace="0.17em" rspace="0.17em">\2</mo>', made)


def visit_math(self, node):
    """Write a formula within a line."""
    made = mathml(node.astext(), block=False)
    self.body.append(f'<span class="long">{made}</span>' if len(node.astext()) > LONG else made)
    raise nodes.SkipNode


def visit_displaymath(self, node):
    """Write a formula of its own, with its number."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    for part in re.split(r"\n\s*\n", node.astext().strip()):
        self.body.append(mathml(part, block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
