"""Rows of small pictures: each where it belongs, under one scale."""

import numpy as np
import pytest

from physnn.lab.figures.strips import GAP, strips


def test_pictures_stand_in_their_rows_from_the_left():
    rows = {"given": np.zeros((2, 4, 8)), "made": np.arange(96.0).reshape(3, 4, 8)}
    _, ax = strips(rows, heads=["first", "second", "third"], limits=(0, 95))
    assert len(ax.images) == 5
    places = [image.get_extent() for image in ax.images]
    assert places[0] == [0, 1, 0.5, 0] and places[4] == [2 * (1 + GAP), 2 * (1 + GAP) + 1, 1 + GAP, 0.5 + GAP]
    for image, picture in zip(ax.images[2:], rows["made"], strict=True):
        np.testing.assert_array_equal(image.get_array(), picture)
        assert image.get_clim() == (0, 95)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["given", "made"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["first", "second", "third"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1] == 0  # the first row is at the top


@pytest.mark.parametrize(
    ("rows", "heads", "message"),
    [
        ({"one": np.zeros((1, 2, 2)), "two": np.zeros((1, 3, 3))}, None, "of one size"),
        ({"one": np.zeros((0, 2, 2))}, None, "n ≥ 1"),
        ({"one": np.zeros((2, 2))}, None, "every row needs pictures"),
        ({"one": np.full((1, 2, 2), np.nan)}, None, r"some of \['one'\] are not"),
        ({"one": np.zeros((2, 2, 2))}, ["a"], "1 heads for 2 columns"),
    ],
)
def test_rows_that_are_none(rows, heads, message):
    with pytest.raises(ValueError, match=message):
        strips(rows, heads=heads)
