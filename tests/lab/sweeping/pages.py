"""Rows of a sweep that never ran, for the tests of its page."""

from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.question import Question

EVIL = "<script>alert('x')</script> & \"$x"


def row(number, **more):
    parameters = {"quartic": float(number % 3), "seed": number // 3, "name": "<b>bold</b>" if number % 2 else "plain"}
    values = {"energy": number / 7, "accuracy": f"{90 + number}.00 [{89 + number}.00, {91 + number}.00]", EVIL: EVIL}
    made_from = {"notebook": "0" * 64, "package": "1" * 64, "commit": "2" * 12}
    plain = {"point": f"p{number}", "status": "done", "error": "", "seconds": 1.5 + number, "started": f"{number:03}"}
    return {**plain, "parameters": parameters, "values": values | {"fixed": 3}, **made_from, **more}


PLAIN = Question()


def asked(notebook, question=PLAIN, **drawn):
    return Asked(notebook.path.name, "0" * 64, "1" * 64, notebook.contract, [], drawn, question)
