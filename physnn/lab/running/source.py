"""What one piece of Python refers to: modules that it imports, attributes of modules that it reads, its strings."""

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

MODULE = re.compile(r"\bphysnn(?:\.\w+)+\.?")
TELLING = re.compile(r"(?:[a-zA-Z].*){3}|\\\.\w+$")  # three letters, or the ending of a file's name
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


class References(NamedTuple):
    """What a piece of code refers to.

    Attributes:
        dotted: every name that may lead to a module, as ``package.module.name``; ``package.*`` for all that it offers.
        packages: dotted names of packages whose ``__path__`` or ``__name__`` is read: their modules are chosen by name.
        strings: its string constants; docstrings are none.
        patterns: f-strings and sums, as regular expressions of what they may become: those with at least three letters
            or the ending of a file's name that do not change, and whatever is put together in a call of ``Study``.
        identifiers: the names and attributes that it uses.
        home: the table ``_HOME`` of a package that imports its names when they are asked for: name to module.
    """

    dotted: frozenset[str]
    packages: frozenset[str]
    strings: frozenset[str]
    patterns: frozenset[str]
    identifiers: frozenset[str]
    home: dict[str, str]


@cache
def references(code: str, package: str = "") -> References:
    """Read what ``code`` refers to.

    Imports inside functions count, those under ``if TYPE_CHECKING:`` do not. A module that is named in a string counts
    as imported.

    Args:
        package: of the module, for its relative imports.

    Raises:
        SyntaxError: it is no Python, but for IPython's lines that begin with ``%`` or ``!``.
    """
    nodes = list(_nodes(ast.parse(MAGIC.sub(r"\1pass", code))))
    known: dict[str, str] = {}  # what a name stands for
    dotted, packages, strings, patterns, home = set(), set(), set(), set(), {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for name in node.names:
                dotted.add(name.name)
                known[name.asname or name.name.partition(".")[0]] = (
                    name.name if name.asname else name.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                dotted.add(f"{base}.{name.name}")
                known[name.asname or name.name] = f"{base}.{name.name}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
            for found in MODULE.findall(node.value):
                dotted.add(found.rstrip("."))
                packages |= {found[:-1]} if found.endswith(".") else set()
        elif isinstance(node, (ast.JoinedStr, ast.BinOp)):
            patterns |= {pattern for pattern in [_pattern(node)] if TELLING.search(pattern)}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Study":
            patterns |= {_pattern(name) for name in node.args[:1] if not isinstance(name, (ast.Constant, ast.Name))}
        elif isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["_HOME"]:
            home = ast.literal_eval(node.value)
    for chain, alone in _chains(nodes):
        if start := known.get(chain[0]):
            dotted.add(".".join([start, *chain[1:]]))
            if chain[-1] in ("__path__", "__name__"):
                packages.add(".".join([start, *chain[1:-1]]))
            if alone:  # handed on as a value: who knows what is read of it
                dotted.add(f"{start}.*")
    return References(*map(frozenset, (dotted, packages, strings, patterns, _identifiers(nodes))), home)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree without docstrings, and without what only a type checker reads."""
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):
        return
    children: Iterator[ast.AST] | Sequence[ast.AST] = ast.iter_child_nodes(tree)
    if isinstance(tree, ast.If) and "TYPE_CHECKING" in (getattr(tree.test, "id", ""), getattr(tree.test, "attr", "")):
        children = tree.orelse
    elif isinstance(tree, ast.FormattedValue):  # without the format
        children = [tree.value]
    yield tree
    for child in children:
        yield from _nodes(child)


def _chains(nodes: Sequence[ast.AST]) -> Iterator[tuple[list[str], bool]]:
    """Give every ``a.b.c`` as its parts, and whether it is a bare ``a`` that is read."""
    inner = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in inner:
            parts, value = [], node
            while isinstance(value, ast.Attribute):
                parts.append(value.attr)
                value = value.value
            if isinstance(value, ast.Name):
                yield [value.id, *reversed(parts)], not parts


def _pattern(node: ast.AST) -> str:
    """Return a regular expression for the strings that an expression may become."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_pattern, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _pattern(node.left) + _pattern(node.right)
    return ".*"


def _identifiers(nodes: Sequence[ast.AST]) -> Iterator[str]:
    for node in nodes:
        for name in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None)):
            if isinstance(name, str):
                yield name
