"""A figure that the reader can push: a Bokeh layout as the output of a cell, with nothing to load from elsewhere."""

import base64
import html
import json

import matplotlib.pyplot as plt
from bokeh.embed import components
from bokeh.models import LayoutDOM
from bokeh.resources import Resources
from bokeh.themes import Theme
from IPython.display import display
from matplotlib.figure import Figure

from physnn.lab.palette import TOKENS
from physnn.lab.style import svg

INK, MUTED, GRID, PAPER = (TOKENS[name].light for name in ("ink", "muted", "grid", "paper"))
THEME = Theme(
    json={
        "attrs": {
            "Plot": {"background_fill_color": PAPER, "border_fill_color": PAPER, "outline_line_color": None},
            "Axis": {
                "axis_label_text_color": INK,
                "axis_label_text_font_style": "normal",
                "axis_label_text_font_size": "14px",
                "axis_line_color": MUTED,
                "major_label_text_color": INK,
                "major_label_text_font_size": "13px",
                "major_tick_line_color": MUTED,
                "minor_tick_line_color": None,
            },
            "Grid": {"grid_line_color": GRID},
        }
    }
)
STYLE = """
.push { --bokeh-base-font: var(--sans, sans-serif); --bokeh-font-size: 15px;
  font-family: var(--sans, sans-serif); line-height: 1.4; background: var(--paper, #fffdf8); color: var(--ink, #22272e); max-width: 43rem; }
.push-still { display: none; }
@media print { .push-live { display: none; } .push-still { display: block; } }
"""

# Draws in the colours of the page's theme, now and when it changes, and gives each slider's handle its name.
SCRIPT = """
(() => {
  const pairs = PAIRS, page = document.documentElement;
  const views = node => [...node.querySelectorAll("*")].flatMap(n => n.shadowRoot ? [n.shadowRoot, ...views(n.shadowRoot)] : []);
  const follow = () => {
    const drawn = window.Bokeh?.documents.find(d => d.roots().some(r => r.id === "ROOT"));
    const live = document.getElementById("push-ROOT");
    const handles = live ? views(live).flatMap(v => [...v.querySelectorAll(".noUi-handle")]) : [];
    if (!drawn || !handles.length) return void setTimeout(follow, 100);
    for (const view of views(live)) view.host.style.setProperty("--color", "var(--ink, #22272e)");
    for (const handle of handles)
      handle.setAttribute("aria-label", handle.getRootNode().querySelector(".bk-slider-title")?.firstChild?.data ?? "");
    const swap = new Map(page.dataset.theme === "dark" ? pairs : pairs.map(([light, dark]) => [dark, light]));
    for (const model of drawn.all_models) for (const property of model) {
      if (property.is_unset) continue;
      const value = property.get_value(), color = swap.get(value?.value ?? value);
      if (color) model[property.attr] = value?.value ? {...value, value: color} : color;
    }
    live.dataset.theme = page.dataset.theme ?? "light";
  };
  new MutationObserver(follow).observe(page, {attributeFilter: ["data-theme"]});
  follow();
})();
"""


def interactive(layout: LayoutDOM, *, alt: str, fallback: Figure) -> None:
    """Show ``layout`` as a figure of the page that reacts without a server and without a network.

    BokehJS is part of the output (about 1.5 MB). Colours that are light values of
    :data:`physnn.lab.palette.TOKENS` follow the page's theme.

    Args:
        layout: sliders and plots, with ``CustomJS`` callbacks only.
        alt: what the figure shows, for whoever does not see it.
        fallback: the figure where there is no JavaScript, and in print; it is closed.
    """
    script, div = components(layout, theme=THEME)
    still = base64.b64encode(svg(fallback).encode()).decode()
    plt.close(fallback)
    pairs = json.dumps([[token.light, token.dark] for token in TOKENS.values()])
    follow = SCRIPT.replace("PAIRS", pairs).replace("ROOT", layout.id)
    label = html.escape(alt)
    text = f"""<div class="push"><style>{STYLE}</style>
<noscript><style>.push-live {{ display: none; }} .push-still {{ display: block; }}</style></noscript>
<img class="push-still" alt="{label}" src="data:image/svg+xml;base64,{still}">
<div class="push-live" id="push-{layout.id}" role="group" aria-label="{label}">
{Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).render_js()}{div}{script}<script>{follow}</script></div></div>"""
    display({"text/html": text, "text/plain": alt}, raw=True)
