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
    found = unpack(text)
    assert found.dtype == bool and found.tolist() == right.tolist()
    assert text.isascii() and not set(text) & set(',"\n ')  # it needs no quotes in a table


def test_the_text_is_what_the_docstring_says():
    right = np.random.default_rng(0).random(10_000) < 0.97
    raw = zlib.decompress(base64.b64decode(pack(right)))
    assert raw == (10_000).to_bytes(4, "big") + np.packbits(right).tobytes()
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
                assert unpack(damaged).tolist() == right.tolist()  # some bits of base64 and zlib say nothing
            except ValueError:
                refused += 1
    assert refused > 2.8 * len(text)


def packed(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (float("nan"), "missing: expected the text that pack made, got nan"),
        (None, "missing"),
        ("", "cut, or no answers: 0 bytes that should hold 0"),
        ("not base64!", "damaged"),
        ("ünïcode", "damaged"),
        (packed(b"no zlib"), "damaged"),
        (packed(zlib.compress(bytes(4))), "0 bytes that should hold 0"),
        (packed(zlib.compress(bytes([0, 0, 0, 60]) + bytes(7))), "7 bytes that should hold 60"),
        (packed(zlib.compress(bytes([0, 0, 0, 7, 255]))), "1 bytes that should hold 7"),
        (packed(zlib.compress(bytes([0, 0, 0, 64]) + bytes(8)) + b"more"), "8 bytes that should hold 64"),
    ],
)
def test_bad_texts(text, message):
    with pytest.raises(ValueError, match=message):
        unpack(text)


@pytest.mark.parametrize("right", [[], [1.0, 0.0], [[True]], [0, 1], [True, None], [float("nan")]])
def test_answers_are_right_or_wrong(right):
    with pytest.raises(ValueError, match="answers must be booleans of shape"):
        pack(right)
