"""A short film of dots that move over a curve: one still picture until its reader starts it."""

import html
import json
import uuid

import numpy as np
from IPython.display import HTML, display

WIDTH, HEIGHT, BOTTOM = 560, 330, 40
PAGE = """<div id="{id}"><style>
html .bd-content div.cell_output .text_html:has(> #{id}) {{ background: none; color: inherit; padding: 0 }}
#{id} svg {{ display: block; width: 100%; background: var(--paper, #fffdf8) }}
#{id} text {{ font: 18px var(--sans, sans-serif); fill: var(--ink, #22272e) }}
#{id} p {{ display: flex; gap: .8rem; align-items: center; margin: .4rem 0; max-width: none }}
#{id} input {{ flex: 1; min-width: 0; accent-color: var(--proposal, #b84a00) }}
#{id} button {{ font: .95rem var(--sans, sans-serif); min-width: 5.2em; padding: .1em .7em; border-radius: 4px;
  cursor: pointer; border: 1px solid var(--muted, #5d646e); background: var(--tint, #f6f3ea);
  color: var(--ink, #22272e) }}
@media (prefers-reduced-motion: reduce) {{ #{id} button {{ display: none }} }}
@media print {{ #{id} p {{ display: none }} }}
</style><svg viewBox="0 0 {width} {height}" role="img" aria-label="{alt}">
<path d="{path}" fill="none" stroke="var(--muted, #5d646e)" stroke-width="2.2"/>
<g fill="var(--proposal, #b84a00)" fill-opacity=".6">{dots}</g>
<text x="{middle}" y="{foot}" text-anchor="middle">{xlabel}</text>
<text class="now" x="{middle}" y="24" text-anchor="middle">{now}</text></svg>
<p hidden><button type="button">Play</button>
<input type="range" min="0" max="{last}" value="{poster}" aria-label="frame of the film"></p></div>
<script>(() => {{
const box = document.getElementById("{id}"), x = {x}, y = {y}, captions = {captions}, ms = {ms};
const dots = [...box.querySelectorAll("circle")], at = box.querySelector("input"), play = box.querySelector("button");
let timer = null;
const draw = frame => {{
    at.value = frame;
    box.querySelector(".now").textContent = captions[frame];
    dots.forEach((dot, i) => {{ dot.setAttribute("cx", x[frame][i]); dot.setAttribute("cy", y[frame][i]) }});
}};
const stop = () => {{ clearInterval(timer); timer = null; play.textContent = "Play" }};
const next = () => +at.value < {last} ? draw(+at.value + 1) : stop();
play.onclick = () => {{
    if (timer) return stop();
    if (+at.value === {last}) draw(0);
    timer = setInterval(next, ms);
    play.textContent = "Pause";
}};
at.oninput = () => {{ stop(); draw(+at.value) }};
box.querySelector("p").hidden = false;
}})()</script>"""


def film(
    x: np.ndarray,
    y: np.ndarray,
    curve: tuple[np.ndarray, np.ndarray],
    captions: list[str],
    *,
    alt: str,
    xlabel: str = "",
    poster: int = -1,
    seconds: float = 8.0,
) -> None:
    """Display dots at ``x`` and ``y``, of shape (frames, dots), above a ``curve``; it never starts by itself.

    The dots keep the frame of the curve's axes: what leaves them is not seen. Until its reader presses the button, or
    moves the slider, and where no script runs, frame ``poster`` stands still. The whole
    takes ``seconds``. Who asks for less motion has the slider.
    """
    (left, right), low = (curve[0].min(), curve[0].max()), curve[1].min()
    top = curve[1].max()
    across = lambda v: np.rint((v - left) / (right - left) * WIDTH).astype(int)  # noqa: E731
    down = lambda v: np.rint((HEIGHT - BOTTOM) * (1 - (v - low) / (top - low))).astype(int)  # noqa: E731
    px, py = across(x), down(y)
    poster = poster % len(px)
    dots = "".join(f'<circle cx="{a}" cy="{b}" r="4.5"/>' for a, b in zip(px[poster], py[poster], strict=True))
    points = " ".join(f"{a} {b}" for a, b in zip(across(curve[0]), down(curve[1]), strict=True))
    page = PAGE.format(
        id=f"film-{uuid.uuid5(uuid.NAMESPACE_OID, alt).hex[:12]}", width=WIDTH, height=HEIGHT, middle=WIDTH // 2,
        foot=HEIGHT - 10, alt=html.escape(alt, quote=True), path=f"M {points}", dots=dots, xlabel=html.escape(xlabel),
        now=html.escape(captions[poster]), last=len(px) - 1, poster=poster, ms=round(1000 * seconds / len(px)),
        x=json.dumps(px.tolist(), separators=(",", ":")), y=json.dumps(py.tolist(), separators=(",", ":")),
        captions=json.dumps(captions),
    )  # fmt: skip
    display(HTML(page))
