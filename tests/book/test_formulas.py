"""Every formula of a docstring can be shown as MathML, which the EPUB needs; here that takes two seconds."""

import ast
import importlib.util
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INLINE = re.compile(r":math:`([^`]+)`")
BLOCK = re.compile(r"^( *)\.\. math::\n((?:\1 +.*\n|\n)+)", re.MULTILINE)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
SOURCES = sorted(path for path in (ROOT / "physnn").rglob("*.py") if "math::" in path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def mathml():
    spec = importlib.util.spec_from_file_location("mathml", ROOT / "book" / "_ext" / "mathml.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.mathml


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_formulas_are_known_to_the_converter(source, mathml):
    shown = 0
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        text = f"{(ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None) or ''}\n"
        for found in BLOCK.finditer(text):
            shown += bool(mathml(textwrap.dedent(found[2]).strip(), block=True))
        for found in INLINE.finditer(text):
            shown += bool(mathml(found[1], block=False))
    assert shown
