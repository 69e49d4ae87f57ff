"""The table of a chapter's predictions: verdicts, counts, and no number twice or left out."""

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from physnn.lab.chapter.naming import glued
from physnn.lab.chapter.predictions import Predictions


@pytest.fixture
def kept():
    kept = Predictions("points, unless said")
    kept.add(1, True, "-0.5 points of cross-entropy, 10-20")
    kept.add(2, np.bool_(False), "3 %")
    kept.add(3, None, "not reached")
    kept.add(4, False, "none")
    return kept


def test_the_counts_are_glued(kept):
    InteractiveShell.instance()
    with capture_output():
        kept.glue()
    InteractiveShell.clear_instance()
    values = glued().value
    assert [values[name] for name in ("n-predictions", "n-held", "failed", "open")] == [4, 1, "2, 4", "3"]


def test_the_table_has_a_row_for_each_and_real_minus_signs(kept):
    shown = kept.table()
    assert list(shown.data.columns) == ["prediction", "verdict", "measured (points, unless said)"]
    assert list(shown.data.verdict) == ["held", "failed", "open", "failed"]
    assert shown.data.iloc[0, 2] == "−0.5 points of cross-entropy, 10−20"
    assert "text-align: left" in shown.to_html()
    assert list(Predictions().table().data.columns)[-1] == "measured"


def test_none_is_said_where_there_is_none(kept):
    assert kept.numbers("held") == "1" and Predictions().numbers("failed") == "none"
    with pytest.raises(ValueError, match="one of held, failed, open, got 'broken'"):
        kept.numbers("broken")


@pytest.mark.parametrize("number", [4, 6, 0])
def test_numbers_follow_each_other(kept, number):
    with pytest.raises(ValueError, match=f"prediction {number} comes after 4"):
        kept.add(number, True, "")
