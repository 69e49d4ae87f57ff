"""Show a sequence of fields as a short film that starts still: a poster, a slider, and a button that plays it."""

import base64
import html
import io
import json
import uuid
from collections.abc import Sequence

import numpy as np
from IPython.display import display
from matplotlib.colors import Colormap
from PIL import Image

PAGE = """<div id="{id}" class="field-film"><style>
#{id} {{ max-width: 22rem; color: var(--ink, #22272e); font-family: var(--sans, sans-serif) }}
#{id} img {{ display: block; width: 100%; image-rendering: pixelated }}
#{id} > div {{ display: flex; align-items: center; gap: 0.8rem; margin-top: 0.5rem }}
#{id} > div[hidden] {{ display: none }}
#{id} input {{ flex: 1; min-width: 4rem; accent-color: var(--proposal, #b84a00) }}
#{id} output {{ min-width: 5em; text-align: right; font-variant-numeric: tabular-nums }}
#{id} button {{ font: inherit; color: inherit; background: var(--tint, #f6f3ea); padding: 0.2rem 0.8rem;
  border: 1px solid var(--muted, #5d646e); border-radius: 4px; min-width: 5em }}
@media (prefers-reduced-motion: reduce) {{ #{id} button {{ display: none }} }}
@media print {{ #{id} > div {{ display: none }} }}
/* the theme would lay a light card under it */
.text_html:has(> #{id}) {{ background: none !important; padding: 0 !important }}
</style><img alt="{alt}" src="{poster}">
<div hidden><button type="button">Play</button>
<input type="range" min="0" max="{last}" value="{start}" aria-label="{label}"><output></output></div>
<script>(() => {{
const box = document.getElementById("{id}"), [picture, button, slider, said] =
    ["img", "button", "input", "output"].map(tag => box.querySelector(tag));
const frames = {frames}, names = {names};
let timer = null;
const show = () => {{
    picture.src = "data:image/png;base64," + frames[slider.value];
    said.value = names[slider.value];
    slider.setAttribute("aria-valuetext", names[slider.value]);
}};
const stop = () => {{ clearInterval(timer); timer = null; button.textContent = "Play"; }};
const step = () => {{ slider.value = +slider.value + 1; show(); if (slider.value === slider.max) stop(); }};
button.onclick = () => {{
    if (timer) return stop();
    if (slider.value === slider.max) slider.value = 0;
    show();
    timer = setInterval(step, {milliseconds});
    button.textContent = "Pause";
}};
slider.oninput = () => {{ stop(); show(); }};
show();
box.querySelector("div").hidden = false;
}})();</script></div>"""


def field_film(
    frames: Sequence[np.ndarray],
    names: Sequence[str],
    *,
    alt: str,
    label: str,
    cmap: Colormap,
    vmin: float = -1.0,
    vmax: float = 1.0,
    poster: int = -1,
    milliseconds: int = 200,
) -> None:
    """Display two-dimensional ``frames``, each with its name, paused at ``poster``, as an output that loads nothing.

    Colours go from ``vmin`` to ``vmax``, and what lies outside has theirs; a frame stands for some ``milliseconds``.
    Without a script, and in print, the poster alone stands there; a reader who prefers reduced motion gets the slider
    (``label`` is read out with it) and no button.

    Raises:
        ValueError: there are no frames, or not one name for each.
    """
    if not len(frames) or len(frames) != len(names):
        raise ValueError(f"{len(frames)} frames and {len(names)} names; give one name to each frame")
    pictures = [_png(np.clip((np.asarray(frame) - vmin) / (vmax - vmin), 0, 1), cmap) for frame in frames]
    start = range(len(frames))[poster]
    page = PAGE.format(
        id=f"field-film-{uuid.uuid5(uuid.NAMESPACE_OID, alt).hex[:12]}",
        alt=html.escape(alt, quote=True),
        label=html.escape(label, quote=True),
        poster=f"data:image/png;base64,{pictures[start]}",
        start=start,
        last=len(frames) - 1,
        frames=json.dumps(pictures),
        names=json.dumps(list(names)),
        milliseconds=milliseconds,
    )
    display({"text/html": page, "text/plain": alt}, raw=True)


def _png(field: np.ndarray, cmap: Colormap, colours: int = 32) -> str:
    image = Image.fromarray(np.round(field * (colours - 1)).astype(np.uint8))  # putpalette makes it a palette image
    image.putpalette((np.array(cmap(np.linspace(0, 1, colours)))[:, :3] * 255).round().astype(np.uint8).tobytes())
    data = io.BytesIO()
    image.save(data, format="PNG", optimize=True)
    return base64.b64encode(data.getvalue()).decode()
