"""What a reader is sent: a script once, where it is needed and after the text, and the icons that are shown."""

import importlib
import io
import re
from pathlib import Path

import pydata_sphinx_theme
import pytest
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = (
    '<script type="text/javascript">\n/* BEGIN bokeh.min.js */\nlet a = "</div>";\n/* END bokeh.min.js */\n</script>'
)
LEVEL = '<script type="text/javascript">\n    Bokeh.set_log_level("info");\n  </script>'
MATHJAX = (
    '    <script>window.MathJax = {"options": {"processHtmlClass": "math"}}</script>\n'
    '    <script defer="defer" src="../_static/mathjax/tex-chtml.js"></script>\n'
)


@pytest.fixture
def extension(monkeypatch):
    """Return a function that imports an extension of the book as Sphinx does."""
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    return importlib.import_module


def test_a_library_is_a_file_that_pages_share(extension):
    mend = extension("scripts").mend
    page, files = mend(f"<p>a</p>{LIBRARY}{LEVEL}<script>draw()</script>", "../")
    ((name, text),) = files.items()
    assert page == f'<p>a</p><script defer src="../_static/{name}"></script><script>draw()</script>'
    assert text in LIBRARY and text.startswith("\n/* BEGIN") and text.endswith("*/\n")
    again, same = mend(f"{LIBRARY}<p>b</p>", "")
    assert same == files and again.startswith(f'<script defer src="_static/{name}">')
    assert mend(page, "../") == (page, {})


def test_what_the_theme_adds_waits_and_what_it_reads_at_once_does_not(extension):
    mend = extension("scripts").mend
    first = '<script src="../_static/documentation_options.js?v=1"></script>'
    later = '<script src="../_static/doctools.js?v=9a2dae69"></script>'
    tabs = '<script data-prefix="a" src="../_static/design-tabs.js?v=1"></script>'
    own = "<script>copybutton.js = 1</script>"
    expected = f"{first}{later.replace('<script', '<script defer')}{tabs.replace('<script', '<script defer')}{own}"
    assert mend(f"{first}{later}{tabs}{own}", "../") == (expected, {})
    assert mend(expected, "../") == (expected, {})


def test_mathjax_comes_with_its_settings_where_there_is_a_formula_and_not_at_all_elsewhere(extension):
    mend = extension("formulas").mend
    assert mend(f"<head>\n{MATHJAX}</head><p>mathematics</p>") == "<head>\n</head><p>mathematics</p>"
    for kind in ("math notranslate nohighlight", "amsmath math notranslate"):
        page = mend(f'<head>\n{MATHJAX}</head><span class="{kind}">\\(x\\)</span>')
        assert page.count("mathjax/tex-chtml.js") == 1 and page.count("<noscript>") == 1
        assert 'const said = {"options": {"processHtmlClass": "math"}}, fit' in page
        assert re.search(r"Math\.max\(0\.99 \* share, 0\.\d+\)", page) and "%s" not in page and "%%" not in page


def test_a_formula_is_written_twice_and_a_line_of_several_may_break(extension):
    from docutils import nodes

    formulas = extension("formulas")

    class Translator:
        def __init__(self):
            self.body = []

        builder = type("", (), {"config": type("", (), {"mathjax_display": (r"\[", r"\]")})})

        def starttag(self, node, tag, CLASS):
            return f'<{tag} class="{CLASS}">'

        def encode(self, text):
            return text.replace("<", "&lt;")

    def plain(self, node):
        self.body.append("set")
        raise nodes.SkipNode

    def written(tex, **options):
        translator = Translator()
        node = nodes.math_block(tex, tex, number=None, **options)
        visit = formulas.with_mathml(formulas.broken(plain), extension("mathml").visit_displaymath)
        with pytest.raises(nodes.SkipNode):
            visit(translator, node)
        scripted, found, rest = "".join(translator.body).partition("<noscript>")
        assert found and rest.endswith("</noscript>") and "<math" in rest
        return scripted

    assert written(r"a < b, \qquad c = d") == (
        '<div class="math notranslate nohighlight several"><div>\\[a &lt; b,\\]</div><div>\\[c = d\\]</div></div>\n'
    )
    for whole in (r"a = b", r"a \\ b \qquad c", r"\begin{gathered} a \qquad b \end{gathered}"):
        assert written(whole) == "set"
    assert written(r"a \qquad b", nowrap=True) == "set"
    assert written(r"a \qquad \begin{gathered} b \\ c \end{gathered}").count("<div>") == 2


def test_icons_that_nobody_shows_are_left_out(extension):
    icons = extension("font_icons")
    rules = '.a{b:c}.fa-sun:before{content:"\\f185"}'
    rules += '.fa-eye:before,.fa-look:before{content:"\\f06e"}.fa-0:before{content:"0"}'
    kept = icons.used(rules, {"fa-look", "fa-lg"})
    assert kept == '.a{b:c}.fa-eye:before,.fa-look:before{content:"\\f06e"}'
    assert icons.icons(f'{kept}:root{{--icon:"\uf0f3"}}') == {0xF06E, 0xF0F3}


def test_a_font_keeps_the_icons_and_little_else(extension):
    icons = extension("font_icons")
    theme = importlib.resources.files(pydata_sphinx_theme) / "theme" / "pydata_sphinx_theme" / "static"
    whole = theme / icons.FONTS / "fa-solid-900.ttf"
    small = icons.cut(whole, {0xF185, 0xF06E})
    assert set(TTFont(io.BytesIO(small)).getBestCmap()) == {0xF185, 0xF06E}
    assert len(small) < whole.stat().st_size / 100
    assert icons.cut(whole, {0x41}) == b"" or 0x41 in TTFont(whole).getBestCmap()
    assert icons.SCRIPT.sub("", ' <script src="../_static/scripts/fontawesome.js?digest=1"></script>\n') == ""


@pytest.mark.parametrize("name", ["font_icons", "formulas"])
def test_a_theme_that_has_moved_is_said(extension, name, tmp_path):
    module = extension(name)
    app = type("", (), {"outdir": tmp_path, "builder": type("", (), {"name": "html"})})
    with pytest.raises(RuntimeError, match="another way"):
        (module.lighten if name == "font_icons" else module.send)(app, None)
