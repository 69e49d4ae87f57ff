"""A film is one output that starts still, plays on demand, and needs nothing from elsewhere."""

import numpy as np
import pytest

import physnn.lab.figures.field_film as module
from physnn.lab.figures import plots
from tests.reading import CHROMIUM, Complaints, chromium, opened, served

FRAMES = [np.full((8, 8), value) for value in (-1.0, 0.0, 1.0)]


@pytest.fixture
def text(monkeypatch) -> str:
    shown = []
    monkeypatch.setattr(module, "display", lambda data, raw: shown.append(data))
    module.field_film(FRAMES, ["t = 0", "t = 1", "t = 2"], alt="Blue, then white, then red.", label="time",
                cmap=plots.DIVERGING, poster=1, milliseconds=20)  # fmt: skip
    assert shown[0]["text/plain"] == "Blue, then white, then red."
    return shown[0]["text/html"]


def test_frames_and_names_belong_together():
    with pytest.raises(ValueError, match="3 frames and 1 names"):
        module.field_film(FRAMES, ["one"], alt="x", label="x", cmap=plots.DIVERGING)


def test_the_output_loads_nothing(text):
    assert "http" not in text and text.count("data:image/png") == 2


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")
@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_it_starts_still_and_plays_to_its_end(text, tmp_path, motion):
    (tmp_path / "index.html").write_text(f'<meta charset="utf-8"><link rel="icon" href="data:,">{text}')
    with served(tmp_path) as address, chromium() as browser:
        with opened(browser, f"{address}index.html") as (page, complaints):
            page.emulate_media(reduced_motion=motion)
            page.wait_for_timeout(100)
            assert page.locator("output").inner_text() == "t = 1"
            page.locator("input").focus()
            page.keyboard.press("ArrowLeft")
            assert page.locator("output").inner_text() == "t = 0"
            if motion == "reduce":
                assert not page.locator("button").is_visible()
            else:
                page.locator("button").click()
                page.wait_for_function("document.querySelector('output').value === 't = 2'")
                assert page.locator("button").inner_text() == "Play"
            assert complaints == Complaints()
