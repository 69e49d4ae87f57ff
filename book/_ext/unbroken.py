"""Keep together what a line may not break: a number and its percent sign or unit, an equation and the number it gives.

A number is often pasted by its name, so that the sign is in another node than the number. Where a formula ends with =
and a plain number is pasted behind it, the number becomes part of the formula, and is spaced as in one.
"""

import re

from docutils import nodes

SPACE = "\N{NO-BREAK SPACE}"
UNIT = r"(?:[%‰°]|(?:[mµn]?s|[kKMGT]i?B|[kMG]?Hz|px|GPUs?|CPUs?|bits?)\b)"
WITHIN = re.compile(rf"(?<=[\d\]])[ \n](?={UNIT})")
BEGINS = re.compile(rf"[ \n](?={UNIT})")
NUMBER = re.compile(r"[-+−]?\d[\d,]*(?:\.\d+)?")
LEFT = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment)  # as they are


def in_formulas(doctree: nodes.Node) -> None:
    """Move a plain number behind a formula that ends with = into it."""
    for formula in list(doctree.findall(nodes.math)):
        if not formula.astext().rstrip().endswith("="):
            continue
        gap, number = [*formula.parent.children[formula.parent.index(formula) + 1 :][:2], None, None][:2]
        if (
            not isinstance(gap, nodes.Text)
            or gap.strip()
            or "pasted-text" not in getattr(number, "attributes", {}).get("classes", [])
        ):
            continue
        if NUMBER.fullmatch(said := number.astext()):
            whole = f"{formula.astext().rstrip()} {said.replace('−', '-').replace(',', '{,}')}"
            formula.replace_self(made := nodes.math(whole, whole, **formula.attributes))
            made.parent.remove(gap)
            made.parent.remove(number)


def in_lines(doctree: nodes.Node) -> None:
    """Put a space that does not break before each percent sign and unit that follows a number."""
    before, ended = None, False  # the block that was last, and whether a number stood at its end so far
    for text in list(doctree.findall(nodes.Text)):
        block, as_it_is, said = text.parent, False, str(text)
        while isinstance(block, (nodes.Inline, *LEFT)) and block.parent is not None:
            as_it_is |= isinstance(block, LEFT)
            block = block.parent
        if not as_it_is:
            said = WITHIN.sub(SPACE, said)
            if block is before and ended:
                said = BEGINS.sub(SPACE, said, count=1) if BEGINS.match(said) else said
            if said != text:
                text.parent.replace(text, nodes.Text(said))
        before, ended = block, bool(re.search(r"[\d\]]$", said)) if said else ended


def bind(app, doctree, docname):
    """Bind what belongs together, when every number is in its place."""
    in_formulas(doctree)
    in_lines(doctree)


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-resolved", bind)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
