"""YAML files as the project reads them: a key stands once, and ``1e-3`` is a number."""

import re
from pathlib import Path
from typing import Any

import yaml


def read(path: Path, as_text: bool = False) -> Any:
    """Return what a file says; None where it is empty.

    Args:
        as_text: leave all values text, for whoever reads them by a declared type.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no YAML, or a key of it stands twice; it names the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows' editors begin with a byte-order mark
        return yaml.load(text, Loader=_Text if as_text else _Values)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{path}{place}: {error.problem or error.context}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from error


class _Once:
    """PyYAML takes the last of several equal keys."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    again = f"the key {key.value!r} is given twice; keep one of them"
                    raise yaml.MarkedYAMLError(problem=again, problem_mark=key.start_mark)
                seen.add((key.tag, key.value))
        return node


class _Text(_Once, yaml.BaseLoader):
    pass


class _Values(_Once, yaml.SafeLoader):
    pass


# PyYAML reads by YAML 1.1, which wants a point in front of the exponent.
_Values.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
