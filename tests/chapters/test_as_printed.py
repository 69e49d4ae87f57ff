"""What the chapter on the post as printed says of the printed code, and the formulas that it quotes."""

import hashlib
import itertools
import os
import re
from pathlib import Path

import pytest
import torch

import physnn
from benchmarks import printed

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = (ROOT / "notebooks/as-printed.md").read_text(encoding="utf-8")
# SHA-256 of the post's formulas without what only sets them: the post is quoted here, not copied.
FORMULAS = {
    "eq-post-loss": ["d083cc6eada7112fadaae292c12e83c4b21392f3ff70c5287d29db88081d17cc"],
    "eq-post-norm": [
        "15f631da8bec7d2d8d0d76db4ee0f28d7829191dd10bc9d1661533d7b1bb5fed",
        "16d7f5f5390328ee2b04c8988c34b4f42599cd09ff33d6faab00e74b07233683",
        "dca98a32853ed1073c27932c6ec7710a24c90c43e982b6da4150552e85589f3a",
    ],
    "eq-post-optimizer": [
        "c39f31fed328bb2cea6b8db8d9b41553bd65d9aef36484a0f4fe1bff1e79d6b4",
        "5d5cc018ca689042185d82280cc32a6ce28dad10ee379ee2d056e1fd678c4076",
    ],
}


def pure(formula: str) -> str:
    """Return a formula without spaces, sizes of brackets, alignment, line breaks and a closing mark."""
    brackets, layout = r"\\(?:left|right|[Bb]ig+[lr]?)(?![A-Za-z])", r"\\(?:begin|end)\{aligned\}|\\q+uad|\\\\|\{\}|&"
    formula = re.sub(f"{brackets}|{layout}", "", formula)
    joined = "".join(formula.split()).replace(r"}\_\text{", r"\_")  # MathJax sets no underscore inside \text
    return joined.rstrip(".,")


def digest(formula: str) -> str:
    return hashlib.sha256(pure(formula).encode()).hexdigest()


def displayed(label: str) -> list[str]:
    """Return the formulas of a labelled display: one for each line that has its own relation."""
    body = re.search(rf"^\$\$\n((?:(?!\$\$).)*)\$\$ \({label}\)$", CHAPTER, re.MULTILINE | re.DOTALL)[1]
    parts, relation = [], r"(?<!\\)=|\\approx|\\leftarrow"
    for line in re.split(r"\\\\\n", re.sub(r"\\(?:begin|end)\{aligned\}\n?", "", body)):
        if re.search(relation, line):
            parts.append(line)
        else:
            parts[-1] += line
    return parts


@pytest.mark.parametrize("label", FORMULAS)
def test_the_formulas_are_the_posts(label):
    assert [digest(formula) for formula in displayed(label)] == FORMULAS[label]


@pytest.mark.skipif("PHYSNN_POST" not in os.environ, reason="the post's text is not at hand")
def test_the_digests_are_those_of_the_posts_formulas():
    post = Path(os.environ["PHYSNN_POST"]).read_text(encoding="utf-8")
    found = {digest(formula) for formula in re.findall(r"\$\$(.*?)\$\$", post, re.DOTALL)}
    assert found >= {one for several in FORMULAS.values() for one in several}


def comes_out(shape, outputs):
    """Return what the printed class makes of an input, or None for an error, and what the samples one by one give."""
    torch.manual_seed(0)
    layer, x = printed.ExperimentalLayer64(shape[-1], outputs, 0.3).double(), torch.rand(shape, dtype=torch.float64)
    right = torch.stack([layer(row[None])[0] for row in x.reshape(-1, shape[-1])]).reshape(*shape[:-1], outputs)
    ours = physnn.dynamic_linear(x, layer.w, layer.beta, layer.t)
    torch.testing.assert_close(ours, right)
    try:
        return layer, x, layer(x), right
    except RuntimeError:
        return layer, x, None, right


SIZES = list(itertools.product(range(1, 5), repeat=2))


@pytest.mark.parametrize(("n", "outputs"), SIZES)
def test_the_printed_class_and_one_sample(n, outputs):
    """Right for one input; n numbers where one was asked for; wrong numbers where n = outputs; else an error."""
    layer, x, phi, right = comes_out((n,), outputs)
    if n == 1:
        torch.testing.assert_close(phi, right)
    elif outputs in (1, n):
        factor = torch.arange(n) * torch.cosh(5 * layer.beta)
        factor = factor + layer.t * torch.sigmoid(x.mean()) * torch.sinh(5 * layer.beta)
        torch.testing.assert_close(phi, factor * (layer.w @ x))  # the factor of input j at output j
        assert phi.shape != right.shape or (phi - right).norm() > 0.1 * right.norm()
    else:
        assert phi is None


@pytest.mark.parametrize(("n", "outputs"), SIZES)
@pytest.mark.parametrize("rows", range(1, 5))
def test_the_printed_class_and_a_stack(n, outputs, rows):
    """Right for one row; the gate of another row where rows = outputs; a wrong shape for one output; else an error."""
    layer, x, phi, right = comes_out((2, rows, n), outputs)
    if rows == 1:
        torch.testing.assert_close(phi, right)
    elif rows == outputs:
        assert phi.shape == right.shape
        a = torch.arange(n) * torch.cosh(5 * layer.beta)
        g = a + layer.t * torch.sigmoid(x.mean(-1, keepdim=True)) * torch.sinh(5 * layer.beta)
        torch.testing.assert_close(phi, torch.einsum("oj,boj,bsj->bso", layer.w, g, x))  # output o, gate of row o
        assert (phi - right).norm() > 1e-3 * right.norm()
    elif outputs == 1:
        assert phi.shape == (2, rows, rows) != right.shape
    else:
        assert phi is None


@pytest.mark.parametrize(("n", "outputs"), SIZES)
def test_the_printed_class_and_a_matrix(n, outputs):
    _, _, phi, right = comes_out((3, n), outputs)
    torch.testing.assert_close(phi, right)
