"""Answers come back as they were, and no damaged text passes for answers."""

import base64
import zlib

import numpy as np
import pytest
import torch

from physnn.lab.metrics.answers import pack, unpack


@pytest.mark.parametrize("n", [1, 7, 8, 9, 1797, 10_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.97, 1.0])
def test_answers_come_back(n, share):
    right = np.random.default_rng(n).random(n) < share
    text = pack(right)
    found = unpack(text, n)
    assert found.dtype == bool and found.tolist() == right.tolist()
    assert text.isascii() and not set(text) & set(',"\n ')  # it needs no quotes in a table


def test_the_text_is_what_the_docstring_says():
    right = np.random.default_rng(0).random(10_000) < 0.97
    raw = zlib.decompress(base64.b64decode(pack(right)))
    assert raw == np.packbits(right).tobytes()
    assert 400 < len(pack(right)) < 600
    assert pack(torch.tensor(right)) == pack(right.tolist()) == pack(right)


def test_a_damaged_text_never_gives_other_answers():
    """A character that is changed or lost, and a text that is cut, anywhere."""
    right = np.random.default_rng(1).random(60) < 0.9
    text, refused = pack(right), 0
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        for damaged in (text[:place] + other + text[place + 1 :], text[:place] + text[place + 1 :], text[:place]):
            try:
                assert unpack(damaged, 60).tolist() == right.tolist()  # some bits of base64 and zlib say nothing
            except ValueError:
                refused += 1
    assert refused > 2.8 * len(text)


@pytest.mark.parametrize(
    ("text", "n", "message"),
    [
        (float("nan"), 60, "missing: expected the text that pack made, got nan"),
        (None, 60, "missing"),
        ("", 60, "not those of 60 images, or cut"),
        ("not base64!", 60, "damaged"),
        ("ünïcode", 60, "damaged"),
        (base64.b64encode(b"no zlib").decode(), 60, "damaged"),
        (pack([True] * 60), 0, "n must be at least 1, got 0"),
        (pack([True] * 60), 59, "more than 59 images"),
        (pack([True] * 60), 65, "not those of 65 images.*8 bytes where 9 belong"),
        (pack([True] * 60), 56, "not those of 56 images"),
        (base64.b64encode(zlib.compress(bytes(8)) + b"more").decode(), 60, "not those of 60"),
    ],
)
def test_bad_texts(text, n, message):
    with pytest.raises(ValueError, match=message):
        unpack(text, n)


@pytest.mark.parametrize("right", [[], [1.0, 0.0], [[True]], [0, 1], [True, None], [float("nan")]])
def test_answers_are_right_or_wrong(right):
    with pytest.raises(ValueError, match="answers must be booleans of shape"):
        pack(right)
