"""A figure that the reader can push: a Bokeh layout as the output of a cell, with nothing to load from elsewhere."""

import base64
import html
import json

import matplotlib.pyplot as plt
from bokeh.embed import components
from bokeh.models import LayoutDOM, Plot
from bokeh.resources import Resources
from bokeh.themes import Theme
from IPython.display import display
from matplotlib.figure import Figure

from physnn.lab.palette import TOKENS
from physnn.lab.style import svg

INK, MUTED, GRID = (TOKENS[name].light for name in ("ink", "muted", "grid"))
AXIS = {"minor_tick_line_color": None, "axis_label_text_font_style": "normal"}
for part in ("axis_label", "major_label"):
    AXIS |= {f"{part}_text_color": INK, f"{part}_text_font_size": "14px"}
AXIS |= {f"{part}_color": MUTED for part in ("axis_line", "major_tick_line")}
PLOT = {"background_fill_color": None, "border_fill_color": None, "outline_line_color": None}
THEME = Theme(json={"attrs": {"Plot": PLOT, "Axis": AXIS, "Grid": {"grid_line_color": GRID}}})

STYLE = """
.push { --bokeh-base-font: var(--sans, sans-serif); --bokeh-font-size: 15px; background: var(--paper, #fffdf8);
  color: var(--ink, #22272e); font-family: var(--sans, sans-serif); line-height: 1.4; max-width: 43rem; }
.push img.push-still { display: none; }
html .bd-content div.cell_output .text_html:has(> .push) { background: none !important; padding: 0 !important; }
"""
STILL = ".push .push-live { display: none; } .push img.push-still { display: block; }"

# Draws in the colours of the page's theme, now and whenever it changes.
SCRIPT = """
(() => {
  const pairs = PAIRS, page = document.documentElement;
  const inside = node => [...node.querySelectorAll("*")].map(n => n.shadowRoot).filter(Boolean)
    .flatMap(root => [root, ...inside(root)]);
  const follow = () => {
    const drawn = window.Bokeh?.documents.find(d => d.roots().some(root => root.id === "ROOT"));
    const live = document.getElementById("push-ROOT"), roots = inside(live);
    if (!drawn?.is_idle || !roots.length) return void setTimeout(follow, 100);
    for (const root of roots) {
      const title = root.querySelector(".bk-slider-title")?.firstChild?.data.split(":")[0];
      if (title) root.querySelector(".noUi-handle").setAttribute("aria-label", title);
      root.host.style.setProperty("--color", "var(--ink, #22272e)");
    }
    const swap = new Map(page.dataset.theme === "dark" ? pairs : pairs.map(([light, dark]) => [dark, light]));
    for (const model of drawn.all_models) for (const property of model) {
      const value = property.is_unset ? null : property.get_value(), color = swap.get(value?.value ?? value);
      if (color) model[property.attr] = value?.value ? {...value, value: color} : color;
    }
    live.dataset.theme = page.dataset.theme ?? "light";
  };
  new MutationObserver(follow).observe(page, {attributeFilter: ["data-theme"]});
  follow();
})();
""".replace("PAIRS", json.dumps([[token.light, token.dark] for token in TOKENS.values()]))


def interactive(layout: LayoutDOM, *, alt: str, fallback: Figure) -> None:
    """Show ``layout`` as a figure that reacts without a server and without a network; it holds all of BokehJS, 1.3 MB.

    Args:
        layout: widgets and plots, with ``CustomJS`` callbacks only. The palette's light values follow the page's theme.
        alt: what the figure shows, for whoever does not see it.
        fallback: the figure where there is no JavaScript, and in print; it is closed.
    """
    for plot in (model for model in layout.references() if isinstance(model, Plot)):
        plot.toolbar_location = None
    script, div = components(layout, theme=THEME)
    bokeh = Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).render_js()
    still, label = base64.b64encode(svg(fallback).encode()).decode(), html.escape(alt)
    plt.close(fallback)
    text = f"""<div class="push"><style>{STYLE}@media print {{ {STILL} }}</style><noscript><style>{STILL}</style>
</noscript><img class="push-still" alt="{label}" src="data:image/svg+xml;base64,{still}">
<div class="push-live" id="push-{layout.id}" role="group" aria-label="{label}">
{bokeh}{div}{script}<script>{SCRIPT.replace("ROOT", layout.id)}</script></div></div>"""
    display({"text/html": text, "text/plain": alt}, raw=True)
