"""A page as Markdown: what a reader of text needs is there, and nothing of what only a browser shows."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def written():
    """Return the function that writes Markdown; links are put below ``at/``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "book" / "_ext")
        module = importlib.import_module("markdown_text")
    return lambda body: module.markdown(body, lambda link: f"at/{link}").rstrip("\n")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<h2>A title<a class="headerlink" href="#x">#</a></h2>', "## A title"),
        (
            '<p>It is <span class="pasted-text">0.5</span>\N{NO-BREAK SPACE}% of <em>one</em>, <code>x</code>.</p>',
            "It is 0.5 % of *one*, `x`.",
        ),
        (r'<p>At <span class="math notranslate">\(a &lt; b\)</span> it</p>', "At $a < b$ it"),
        (
            '<div class="math"><span class="eqno">(6.1)<a class="headerlink">#</a></span>\\[\na = b\n\\]</div>',
            "$$\na = b\n$$ (6.1)",
        ),
        ('<p>see <a href="x.html#y"><span>the page</span></a> there</p>', "see [the page](at/x.html#y) there"),
        (
            '<div class="highlight-ipython3"><div class="highlight"><pre><span>x</span> = 1\n</pre></div></div>',
            "```python\nx = 1\n```",
        ),
        ("<ol><li><p>one</p></li><li><p>two</p><ul><li>three</li></ul></li></ol>", "1. one\n2. two\n   \n   - three"),
        (
            '<div class="admonition"><p class="admonition-title">Claim 1</p><p><b>Fails</b> a</p></div>',
            "> **Claim 1**\n>\n> **Fails** a",
        ),
        (
            "<table><thead><tr><th></th><th>a|b</th></tr></thead><tr><th>x</th><td>1</td></tr></table>",
            "|  | a\\|b |\n| --- | --- |\n| x | 1 |",
        ),
        ("<dl><dt>Question</dt><dd><p>Does it?</p></dd></dl>", "**Question**\n\nDoes it?"),
        (
            '<dl class="py"><dt class="sig">f(<span>\n a</span>, )</dt><dd><p>It does.</p></dd></dl>',
            "**`f(a)`**\n\nIt does.",
        ),
        (
            '<figure><img src="_images/a.svg" alt="A line."><figcaption><p><span>Fig. 1 </span>It rises.</p>'
            "</figcaption></figure>",
            "![A line.](at/_images/a.svg)\n\nFig. 1 It rises.",
        ),
        (
            '<div id="interactive-p1" aria-label="Two curves."><img src="data:image/svg+xml;base64,AA"></div>',
            "*A figure: Two curves.*",
        ),
    ],
)
def test_one_construct_at_a_time(written, body, expected):
    assert written(body).replace("\N{NO-BREAK SPACE}", " ") == expected


def test_what_is_folded_or_live_is_left_out(written):
    body = """<p>before</p><script>go("<p>x</p>")</script><style>p {}</style>
<details class="admonition hide above-input"><summary><p>Show code cell source</p></summary><pre>code</pre></details>
<p class="live">Pick</p><button>Play</button><input value="1"><!-- a remark --><p>after</p>"""
    assert written(body) == "before\n\nafter"


def test_an_answer_that_is_folded_stays(written):
    body = '<details class="admonition dropdown"><summary>Answers</summary><ol><li><p>No: 3.</p></li></ol></details>'
    assert written(body) == "> **Answers**\n>\n> 1. No: 3."
