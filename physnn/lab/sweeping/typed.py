"""The grid as it is typed: ``--grid NAME=VALUES`` and ``--file GRID.yml``."""

from collections.abc import Iterable
from pathlib import Path

from physnn.lab.sweeping.notebook import SweepError

EXAMPLE = "such as  seed: [0, 1, 2]"


def typed(path: Path | None, items: Iterable[str]) -> dict[str, object]:
    """Put the file, if there is one, and the options ``--grid`` together.

    Raises:
        SweepError: one of them cannot be read, or a name is given twice.
    """
    grid = read(path) if path else {}
    for item in items:
        name, equals, values = item.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SweepError(f"--grid {item}: expected NAME=VALUES, such as seed=0:5")
        if name in grid:
            raise SweepError(f"--grid {item}: {name} is given twice; put its values into one list")
        grid[name] = values
    return grid


def read(path: Path) -> dict[str, object]:
    """Read a YAML mapping of names to values, all of them as texts and lists of texts.

    They are read by the declared types later: YAML's own rules make 1e-3 a text and 1:30 ninety.

    Raises:
        SweepError: it is no such mapping, or has a name twice, of which YAML would take the last.
    """
    import yaml

    try:
        root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SweepError(f"cannot read the grid {path}: {' '.join(str(error).split())}") from error
    if not isinstance(root, yaml.MappingNode):
        raise SweepError(f"{path}: expected a mapping of parameter names to values, {EXAMPLE}")

    def texts(node: yaml.Node, depth: int) -> object:
        if isinstance(node, yaml.SequenceNode) and depth:
            return [texts(item, depth - 1) for item in node.value]
        if not isinstance(node, yaml.ScalarNode) or (not node.style and node.value in {"", "null", "~"}):
            raise SweepError(
                f"{path}, line {node.start_mark.line + 1}: expected a value or a list of values, {EXAMPLE}"
            )
        return node.value

    grid: dict[str, object] = {}
    for key, node in root.value:
        name, values = str(texts(key, 0)), texts(node, 2)  # two, for a parameter that is a list
        if name in grid:
            raise SweepError(
                f"{path}, line {key.start_mark.line + 1}: {name} is given twice; put its values into one list"
            )
        grid[name] = values
    return grid
