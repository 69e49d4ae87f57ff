"""Set formulas where there are some, so that each is whole; and where no script runs, as MathML.

MathJax is sent to pages with a formula alone, and waits for the fonts: beside a font that is not there yet a formula
gets the wrong size. It sets no menu, by which every formula would be a stop of the Tab key. Where the page is narrow, a
line of several formulas breaks between them. One that is wider than its place is set smaller, and one that would have
to be smaller than ``LEAST`` scrolls, and is a stop.
"""

import re
from pathlib import Path

from docutils import nodes
from mathml import pieces, visit_displaymath, visit_math
from sphinx.util.math import get_node_equation_number

LEAST = 0.62  # of the size of the text
MATHJAX = re.compile(r"[ \t]*<script>window\.MathJax = (.*?);?</script>\n(?=\s*<script[^>]*\bmathjax/)")
SENT = re.compile(r"[ \t]*<script[^>]*\bmathjax/[^>]*></script>\n")
FORMULA = re.compile(r'class="[^"]*\bmath\b')
SETTING = """{const said = %s, fit = () => {
  for (const formula of document.querySelectorAll("mjx-container")) {
    const full = formula.dataset.size ??= parseFloat(formula.style.fontSize) || 100, size = share => {
      formula.style.fontSize = `${full * share}%%`;
    };
    size(1);
    const shown = formula.matches("[display=true]"), place = shown ? formula : formula.closest("p, li, dd, td, div");
    const share = place.clientWidth / (shown ? formula.scrollWidth : formula.offsetWidth);
    if (place.clientWidth && share < 1) size(Math.max(0.99 * share, LEAST));
    if (shown && formula.scrollWidth > formula.clientWidth + 1) formula.tabIndex = 0;
    else formula.removeAttribute("tabindex");
  }
};
said.options.enableMenu = false;
said.startup = {pageReady: () => document.fonts.ready.then(() => MathJax.startup.defaultPageReady()).then(() => {
  let width = 0;
  new ResizeObserver(() => { if (width !== (width = innerWidth)) fit(); }).observe(document.body);
  addEventListener("toggle", fit, true);
  fit();
  dispatchEvent(new Event("resize"));  // the theme makes stops of what scrolls, and formulas have their width by now
})};
window.MathJax = said;}""".replace("LEAST", str(LEAST))
# The source of a formula is not shown where it is not set; MathML stands there instead.
UNSET = (
    "<noscript><style>.math.notranslate { font-size: 0 } .math.notranslate .eqno { display: none }</style></noscript>\n"
)


def broken(visit):
    """Return a visitor that lets a line of formulas break at its wide spaces, and leaves all else to ``visit``."""

    def several(self, node):
        parts = pieces(node.astext())
        lines = any(r"\\" in part and r"\begin" not in part for part in parts)  # of a formula without an environment
        if node.get("nowrap") or lines or len(parts) < 2:
            return visit(self, node)
        self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight several"))
        begin, end = self.builder.config.mathjax_display
        self.body += [f"<div>{begin}{self.encode(part)}{end}</div>" for part in parts]
        if node["number"]:
            self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
            self.add_permalink_ref(node, "Link to this equation")
            self.body.append("</span>")
        self.body.append("</div>\n")
        raise nodes.SkipNode

    return several


def with_mathml(visit, unscripted):
    """Return a visitor that writes what ``visit`` does, and then what ``unscripted`` does for where no script runs."""

    def both(self, node):
        for each, start, end in ((visit, "", ""), (unscripted, "<noscript>", "</noscript>")):
            self.body.append(start)
            try:
                each(self, node)
            except nodes.SkipNode:
                self.body.append(end)
        raise nodes.SkipNode

    return both


def write_both(app):
    """Let formulas be written for MathJax and as MathML."""
    if app.builder.name != "html":
        return
    inline, block = app.registry.html_inline_math_renderers, app.registry.html_block_math_renderers
    inline["mathjax"] = (with_mathml(inline["mathjax"][0], visit_math), None)
    block["mathjax"] = (with_mathml(broken(block["mathjax"][0]), visit_displaymath), None)


def send(app, exception):
    """Let the pages of the finished site load what sets their formulas, if they have any.

    Raises:
        RuntimeError: no page does it as it used to.
    """
    if exception is not None or app.builder.name != "html":
        return
    several = 0
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        mended = mend(text)
        if mended != text:
            page.write_text(mended, encoding="utf-8")
        several += mended != text
    if not several:
        raise RuntimeError("no page sends MathJax with its settings: has Sphinx another way?")


def mend(text: str) -> str:
    """Return a page's text with what its formulas need, and nothing if it has none."""
    if not FORMULA.search(text):
        return SENT.sub("", MATHJAX.sub("", text))
    return MATHJAX.sub(lambda found: f"{UNSET}<script>{SETTING % found[1]}</script>\n", text)


def setup(app):
    """Register with Sphinx."""
    app.connect("builder-inited", write_both, priority=900)  # after MyST, which has renderers of its own
    app.connect("build-finished", send)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
