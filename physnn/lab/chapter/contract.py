"""The typed contract of a notebook's parameters cell.

Each line of the cell declares one parameter: a literal, its type, what it means, and its range::

    epochs: int = 10        # passes over the training images, in [1, 1000]
    lr: float = 0.1         # learning rate, in (0, 100]
    data: str = "mnist"     # the images, in {mnist, digits}

The next cell checks and reads it. Whatever papermill injected, or a reader typed, that is unknown, of another type,
out of range, or never read, stops the notebook there, before anything trains::

    with parameters() as p:
        dataset = data.load(p.data)
        ...
"""

import ast
import difflib
import io
import math
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ELEMENTS = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}
INTERVAL = re.compile(r",?\s*\bin\s*([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])\s*$")
CHOICES = re.compile(r",?\s*\bin\s*\{([^}]*)\}\s*$")


class ParameterError(ValueError):
    """A parameter is undeclared, ill-typed, out of range, unknown or never read."""


@dataclass(frozen=True)
class Declaration:
    """One line of the contract: name, type (``int``, ``list[float]``, ...), default, meaning and range."""

    name: str
    type: str
    default: object
    meaning: str
    limits: str

    def check(self, value: object) -> object:
        """Return ``value``, an int made float where the type is float.

        Raises:
            ParameterError: the type or the range is wrong.
        """
        element = self.type.removeprefix("list[").removesuffix("]")
        is_list = element != self.type
        if is_list and not isinstance(value, (list, tuple)):
            raise ParameterError(self._wrong_type(value))
        items = list(value) if is_list else [value]
        for item in items:
            if not isinstance(item, ELEMENTS[element]) or (element != "bool" and isinstance(item, bool)):
                raise ParameterError(self._wrong_type(value))
            if not self._allows(item):
                raise ParameterError(f"parameter {self.name} = {value!r} is not in {self.limits} ({self.meaning})")
        if element == "float":
            items = [float(item) for item in items]
        return items if is_list else items[0]

    def _allows(self, item: object) -> bool:
        if choices := CHOICES.search(f" in {self.limits}"):
            return str(item) in [choice.strip() for choice in choices[1].split(",")]
        left, low, high, right = INTERVAL.search(f" in {self.limits}").groups()
        low, high = float(low), float(high)
        # NaN fails both comparisons.
        return (item >= low if left == "[" else item > low) and (item <= high if right == "]" else item < high)

    def _wrong_type(self, value: object) -> str:
        hint = "; papermill's -p passes text for it, use -y or -f" if isinstance(value, str) else ""
        return f"parameter {self.name} = {value!r} is a {type(value).__name__}, expected {self.type}{hint}"


class Parameters:
    """The checked values, as attributes; leaving the ``with`` block raises if one was not read inside it."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)
        self._unread = set(values)

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._values:
            raise AttributeError(f"no parameter {name!r}; this notebook has {', '.join(self._values)}")
        self._unread.discard(name)
        return self._values[name]

    def __enter__(self) -> "Parameters":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None and self._unread:
            names = ", ".join(name for name in self._values if name in self._unread)
            raise ParameterError(f"never read, so changing it would change nothing: {names}. Use it, or delete it")

    def as_dict(self) -> dict[str, object]:
        """Return all values, without counting as reading them."""
        return dict(self._values)


def parameters() -> Parameters:
    """Check the running notebook's parameters against the contract in its parameters cell, and return them.

    Raises:
        ParameterError: the cell breaks the contract's form, or a value breaks the contract.
        RuntimeError: not in a notebook.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise RuntimeError("parameters() reads the notebook's cells; it works in a notebook only")
    return parameters_of(shell.user_ns["In"], shell.user_ns)


def parameters_of(history: Sequence[str], namespace: Mapping[str, object]) -> Parameters:
    """Do the work of :func:`parameters` on the sources of the cells run so far and the variables they left."""
    at = next((i for i in reversed(range(len(history))) if _is_contract(history[i])), None)
    if at is None:
        raise ParameterError("no parameters cell was run: expected lines like  epochs: int = 10  # passes, in [1, 100]")
    contract = declarations(history[at])
    following = history[at + 1] if at + 1 < len(history) else ""
    if following.startswith("# Parameters"):  # papermill's heading of what it injects
        for name in _assigned(following):
            if name not in contract:
                guess = difflib.get_close_matches(name, contract, 1)
                hint = f"; did you mean {guess[0]}?" if guess else ""
                raise ParameterError(f"unknown parameter {name!r}; this notebook has {', '.join(contract)}{hint}")
    return Parameters({name: line.check(namespace[name]) for name, line in contract.items()})


def declarations(source: str) -> dict[str, Declaration]:
    """Parse a parameters cell into its declarations, by name, in order.

    Raises:
        ParameterError: a line is not ``name: type = literal  # meaning, in range``, or breaks its own range.
    """
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    contract = {}
    for node in ast.parse(source).body:
        line = ast.get_source_segment(source, node)
        expected = f"in the parameters cell, {line!r}: expected  name: type = literal  # meaning, in [low, high]"
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            raise ParameterError(expected)
        kind, comment = ast.unparse(node.annotation), comments.get(node.end_lineno, "")
        limits = INTERVAL.search(comment) or CHOICES.search(comment)
        if limits is None or kind.removeprefix("list[").removesuffix("]") not in ELEMENTS:
            raise ParameterError(f"{expected} or in {{one, other}}; types: {', '.join(ELEMENTS)}, list[...]")
        try:
            default = ast.literal_eval(node.value)
        except ValueError as error:
            raise ParameterError(f"{expected}; derive values in the next cell") from error
        shown = limits[0].split("in", 1)[1].strip()
        declaration = Declaration(node.target.id, kind, default, comment[: limits.start()].strip(), shown)
        if limits.re is INTERVAL and math.isnan(float(limits[2]) + float(limits[3])):
            raise ParameterError(f"{expected}; its range is not a range")
        declaration.check(default)
        contract[declaration.name] = declaration
    return contract


def _is_contract(source: str) -> bool:
    """Tell whether a cell holds annotated literals with ranges, well-formed or nearly."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with IPython magics
        return False
    annotated = any(isinstance(node, ast.AnnAssign) for node in tree.body)
    return annotated and bool(re.search(r"#.*\bin\s*[\[({]", source))


def _assigned(source: str) -> list[str]:
    targets = (target for node in ast.parse(source).body if isinstance(node, ast.Assign) for target in node.targets)
    return [target.id for target in targets if isinstance(target, ast.Name)]
