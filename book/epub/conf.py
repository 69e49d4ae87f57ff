"""Sphinx's settings for the EPUB: those of the site in ``_config.yml``, without what needs a browser.

``book/tools/epub.py`` puts this file at the top of the folder that Sphinx reads.
"""

import sys
from pathlib import Path

import yaml
from sphinx_external_toc.parsing import parse_toc_yaml

from physnn import __version__

HERE = Path(__file__).parent
_site = yaml.safe_load((HERE / "_config.yml").read_text(encoding="utf-8"))
_needs_a_browser = {
    "accessible", "font_icons", "formulas", "jupyter_book", "moved", "offline_math", "published", "scripts",
    "sphinx_book_theme", "sphinx_comments", "sphinx_copybutton", "sphinx_togglebutton",
}  # fmt: skip

sys.path.insert(0, str(HERE / "book/_ext"))
extensions = [name for name in _site["sphinx"]["config"]["extensions"] if name not in _needs_a_browser] + ["mathml"]
html_math_renderer = "mathml"

project, author, copyright = _site["title"], _site["author"], _site["copyright"]
version = release = __version__
language = "en"
external_toc_path = "_toc.yml"
include_patterns = [f"{page}.*" for page in parse_toc_yaml(HERE / "_toc.yml")]
numfig = True
myst_enable_extensions = _site["parse"]["myst_enable_extensions"]
bibtex_bibfiles = _site["bibtex_bibfiles"]
suppress_warnings = ["myst.domains"]
nb_execution_mode = "off"
nb_output_stderr = "error"
nb_render_markdown_format = "myst"
_shared = ("autodoc_inherit_docstrings", "autodoc_preserve_defaults", "bibtex_reference_style", "nitpick_ignore_regex")
globals().update({name: _site["sphinx"]["config"][name] for name in _shared})

html_static_path = ["book/epub/static"]
html_domain_indices = False
epub_basename = "book"
epub_title = "physnn: what of it is real?"
epub_description = "The physics of phase transitions in a neural network, implemented exactly and measured."
epub_publisher = author
epub_identifier = _site["html"]["baseurl"]
epub_uid = "book-id"
epub_contributor = author
epub_copyright = f"{copyright} {author}, MIT License"
epub_cover = ("_static/cover.png", "")
epub_css_files = ["epub.css"]
epub_show_urls = "no"
epub_use_index = False
epub_tocdepth = 2
epub_tocscope = "includehidden"
epub_exclude_files = ["_static/searchtools.js", "search.xhtml"]
