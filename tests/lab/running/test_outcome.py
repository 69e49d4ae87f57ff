"""What is read from a notebook that ran: values that a file of rows can hold, whatever their text is."""

import nbformat
import pytest

from physnn.lab.running.outcome import RECORD, glued


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-inf", float("-inf")),
        ("10" * 200, int("10" * 200)),
        ("'\\ud800 half a character'", "\\ud800 half a character"),
        ("'a'" * 3, "aaa"),
        ("1j", None),
        ("b'bytes'", None),
        ("Decimal('0.1')", None),
        ("{[]: 1}", None),
        ("1" * 5000, None),
        ("0x" + "f" * 5000, None),  # Python reads it, and cannot write it
        ("[" * 100_000, None),
        ("-" * 100_000 + "1", None),
        ("", None),
    ],
    ids=lambda given: str(given)[:12],
)
def test_a_glued_text_is_a_value_or_none(text, value):
    new = nbformat.v4
    output = new.new_output("display_data", {RECORD: text}, metadata={"scrapbook": {"name": "it"}})
    found = glued(new.new_notebook(cells=[new.new_code_cell("", outputs=[output])]))["it"]
    assert (found, type(found)) == (value, type(value))
    str(found).encode()
