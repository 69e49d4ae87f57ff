"""The typed contract of a notebook's parameters cell.

Each line of the cell declares one parameter: a literal, its type, what it means, and its range::

    epochs: int = 10        # passes over the training images, in [1, 1000]
    lr: float = 0.1         # learning rate, in (0, 100]
    data: str = "mnist"     # the images, in {mnist, digits}
    title: str = "plain"    # a heading, in {any text}
    decay: float | None = None  # weight decay, none for the optimizer's own, in [0, 1]

The next cell checks and reads it. Whatever papermill injected, or a reader typed, that is unknown, of another type,
out of range, or never read, stops the notebook there, before anything trains::

    with parameters() as p:
        dataset = data.load(p.data)
        ...
"""

import ast
import difflib
import io
import re
import sys
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from physnn.lab.chapter.limits import RANGE, limits, read

OPTIONAL = " | None"
ELEMENTS = {"int": (int,), "float": (float, int), "str": (str,), "bool": (bool,)}


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

    @property
    def element(self) -> str:
        """The type without its ``list[...]`` and its ``| None``."""
        return self.plain.removeprefix("list[").removesuffix("]")

    @property
    def plain(self) -> str:
        """The type without its ``| None``."""
        return self.type.removesuffix(OPTIONAL)

    def check(self, value: object) -> object:
        """Return ``value``, an int made float where the type is float.

        A text such as ``1e-3`` is read where a number is due: to YAML 1.1, and so to papermill's -y, it is no number.

        Raises:
            ParameterError: the type or the range is wrong.
        """
        if value is None and self.plain != self.type:
            return None
        many = self.element != self.plain and isinstance(value, (list, tuple))
        items = [_scientific(item, self.element) for item in (value if many else [value])]
        if wrong := self.wrong(items if many else items[0]):
            text = isinstance(value, str) and wrong.startswith("is a ")
            hint = "; papermill's -p passes text for it, use -y or -f" if text else ""
            raise ParameterError(f"parameter {self.name} = {value!r} {wrong}{hint}")
        if self.element == "float":
            items = [float(item) + 0.0 for item in items]  # -0.0 becomes 0.0: they are one value
        return items if many else items[0]

    def wrong(self, value: object) -> str:
        """Say what is wrong with the type or the range of a value; nothing where it is right."""
        if value is None and self.plain != self.type:
            return ""
        many = self.element != self.plain
        if many and not isinstance(value, (list, tuple)):
            return f"is a {type(value).__name__}, expected {self.type}"
        for item in value if many else [value]:
            if not isinstance(item, ELEMENTS[self.element]) or (self.element != "bool" and isinstance(item, bool)):
                return f"{f'has {item!r}, which ' if many else ''}is a {type(item).__name__}, expected {self.type}"
            if item not in limits(self.limits, self.element):
                return f"is not in {self.limits} ({self.meaning})"
            if self.element == "float" and isinstance(item, int) and abs(item) > sys.float_info.max:
                return "is beyond what a float can hold"
        return ""


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
        ParameterError: a line is not ``name: type = literal  # meaning, in range``, its range is none, or its default
            does not lie in it.
    """
    try:
        body = ast.parse(source).body
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ParameterError(f"the parameters cell cannot be read: {error}") from error
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    contract = {}
    for node in body:
        line = f"in the parameters cell, {ast.get_source_segment(source, node)!r}"
        declaration = _declaration(node, comments.get(node.end_lineno, ""), line)
        if declaration.name in contract:
            raise ParameterError(f"{line}: {declaration.name} is declared twice; delete one of the lines")
        contract[declaration.name] = declaration
    return contract


def _declaration(node: ast.stmt, comment: str, line: str) -> Declaration:
    expected = f"{line}: expected  name: type = literal  # meaning, in [low, high]"
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
        raise ParameterError(expected)
    name, kind, found = node.target.id, ast.unparse(node.annotation), RANGE.search(comment)
    if found is None or kind.removesuffix(OPTIONAL).removeprefix("list[").removesuffix("]") not in ELEMENTS:
        types = f"{', '.join(ELEMENTS)}, list[...], each with or without {OPTIONAL.strip()}"
        raise ParameterError(f"{expected}, in {{one, other}} or in {{any text}}; types: {types}")
    if name.startswith("_") or hasattr(Parameters, name):
        raise ParameterError(f"{line}: {name} cannot be read as p.{name}; choose another name")
    try:
        default = ast.literal_eval(node.value)
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ParameterError(f"{expected}; derive values in the next cell") from error
    declaration = Declaration(name, kind, default, comment[: found.start()].strip(), found["limits"])
    try:
        limits(declaration.limits, declaration.element)
    except ValueError as error:
        raise ParameterError(f"{line}: {error}") from error
    if wrong := declaration.wrong(default):
        raise ParameterError(f"{line}: its default {default!r} {wrong}")
    return declaration


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


def _scientific(item: object, kind: str) -> object:
    """Read a text such as 1e-3 as the number it is; leave everything else to the check."""
    if kind not in {"int", "float"} or not isinstance(item, str) or "e" not in item.lower():
        return item
    try:
        return read(item, kind)
    except ValueError:
        return item
