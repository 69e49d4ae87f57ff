"""Tables of benchmarks that ``make bench RECORD=yes`` has recorded."""

import json

import pandas as pd

from physnn.lab.records.provenance import RESULTS


def timings(name: str = "bench") -> pd.DataFrame:
    """Return a recorded table of benchmarks by name: ``ratio``, ``low`` and ``high`` (95 %), and ``against`` what.

    Args:
        name: ``"bench"``, the last ``make bench`` on a processor, or ``"bench-cuda"``, on a GPU.
    """
    made = json.loads((RESULTS / "speed" / f"{name}.json").read_text(encoding="utf-8"))
    table = pd.DataFrame(made["rows"]).set_index("name")
    table.attrs = {"environment": made["environment"], "peers": made["peers"]}
    return table
