"""Show a Bokeh layout as one self-contained output: no server, no request, and a still picture where no script runs."""

import base64
import html
import json

import matplotlib.pyplot as plt
from bokeh.embed import components
from bokeh.models import AbstractButton, InlineStyleSheet, LayoutDOM
from bokeh.models.widgets.sliders import AbstractSlider
from bokeh.resources import Resources
from bokeh.themes import Theme
from IPython.display import HTML, display
from matplotlib.figure import Figure

from physnn.lab.figures.palette import TOKENS
from physnn.lab.figures.style import COLORS, svg

INK, MUTED, GRID, PAPER = (COLORS[name] for name in ("ink", "muted", "grid", "paper"))
THEME = {
    "Plot": {"background_fill_color": PAPER, "border_fill_color": PAPER, "outline_line_color": None},
    "Axis": {"axis_label_text_color": INK, "axis_label_text_font_style": "normal", "axis_label_text_font_size": "14px",
             "major_label_text_color": INK, "major_label_text_font_size": "13px", "axis_line_color": MUTED,
             "major_tick_line_color": MUTED, "minor_tick_line_color": None},
    "Grid": {"grid_line_color": GRID},
    "Title": {"text_color": INK, "text_font_style": "normal", "text_font_size": "14px"},
    "Legend": {"label_text_color": INK, "background_fill_color": PAPER, "border_line_color": None},
}  # fmt: skip
CONTROL = (
    ".bk-btn{background:var(--tint,#f6f3ea);color:var(--ink,#22272e);border-color:var(--muted,#5d646e)}"
    ":is(.bk-btn,.noUi-handle):focus-visible{outline:3px solid var(--baseline,#0068a8);outline-offset:2px}"
)
# The still picture is the default; it gives way to the live one when a script runs, and comes back on paper.
PAGE = """<div id="{id}" role="group" aria-label="{alt}"><style>
html .bd-content div.cell_output .text_html:has(> #{id}) {{ background: none; color: inherit; padding: 0 }}
#{id} > img {{ max-width: 100% }} #{id} > div {{ font-size: 1rem }}
#{id}.live > img, #{id}:not(.live) > div {{ display: none }}
@media print {{ #{id}.live > img {{ display: block }} #{id}.live > div {{ display: none }} }}
</style><img alt="{alt}" src="data:image/svg+xml;base64,{still}"><div>{div}</div></div>
{library}{script}<script>{behaviour}</script>"""
BEHAVIOUR = """(() => {
const box = document.getElementById(ID), root = document.documentElement;
box.classList.add("live");
const recolour = () => {  // the canvas knows no CSS: every colour of the light page becomes that of the page as it is
    const dark = root.dataset.theme === "dark";
    const to = new Map(TOKENS.map(([light, night]) => dark ? [light, night] : [night, light]));
    for (const doc of Bokeh.documents) for (const model of doc._all_models.values()) for (const property of model) {
        if (property.is_unset) continue;
        const value = property.get_value(), inner = value?.value;
        if (to.has(value)) model.setv({[property.attr]: to.get(value)});
        else if (to.has(inner)) model.setv({[property.attr]: {...value, value: to.get(inner)}});
    }
};
const name = node => {  // a slider's handle is read out with the title and value that are seen
    const handle = node.querySelector(".noUi-handle"), title = node.querySelector(".bk-slider-title");
    const tell = () => ["aria-label", "aria-valuetext"].forEach(
        (attribute, i) => handle.setAttribute(attribute, title.innerText.split(": ")[i] ?? ""));
    if (handle && title) {
        new MutationObserver(tell).observe(title, {childList: true, characterData: true, subtree: true}); tell();
    }
    for (const canvas of node.querySelectorAll(".bk-events")) canvas.removeAttribute("tabindex");  // no key helps
    for (const child of node.querySelectorAll("*")) if (child.shadowRoot) name(child.shadowRoot);
};
const whenDrawn = () => {
    if (!box.querySelector("[data-root-id]")?.firstElementChild) return void setTimeout(whenDrawn, 50);
    recolour(); setTimeout(() => name(box), 50);
    new MutationObserver(recolour).observe(root, {attributes: true, attributeFilter: ["data-theme"]});
};
whenDrawn();
})()"""


def interactive(layout: LayoutDOM, *, alt: str, fallback: Figure) -> None:
    """Display ``layout``, which reacts through its CustomJS callbacks alone, with ``fallback`` for print and no script.

    The figures take the house's colours, and the dark ones where the page is dark. ``alt`` says in words what there is
    to see and to push. In the book, give the cell a caption by ``mystnb: figure:``.
    """
    for control in [*layout.select({"type": AbstractButton}), *layout.select({"type": AbstractSlider})]:
        control.stylesheets = [*control.stylesheets, InlineStyleSheet(css=CONTROL)]
    script, div = components(layout, theme=Theme(json={"attrs": THEME}))
    place = f"interactive-{layout.id}"
    page = PAGE.format(
        id=place, alt=html.escape(alt, quote=True), still=base64.b64encode(svg(fallback).encode()).decode(), div=div,
        library=Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).render_js(), script=script,
        behaviour=BEHAVIOUR.replace("ID)", f'"{place}")', 1).replace("TOKENS", json.dumps(list(TOKENS.values()))),
    )  # fmt: skip
    plt.close(fallback)
    display(HTML(page))
