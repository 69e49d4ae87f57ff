"""Build the staged book with plain Sphinx: ``python -m book.tools.plain_sphinx --python .venv-plain/bin/python``.

Jupyter Book 1 is in maintenance and holds Sphinx at 7. This says what would break on the day the book moves: it builds
the pages that ``make book`` has staged with the current Sphinx, MyST-NB and theme, with every warning an error, from a
``conf.py`` derived from ``_config.yml``; then the EPUB, from its own settings.
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
import sys
import sysconfig
from pathlib import Path

from book.tools import epub, sphinx_run
from book.tools.place import at_work
from book.tools.project import HERE, BookError, Project, read_yaml
from physnn.lab.running import command

PACKAGES = sysconfig.get_path("purelib")  # what the documented code imports: that of make book, borrowed
LAUNCH = "import sys; sys.path.append({packages!r}); from sphinx.cmd.build import main; sys.exit(main())"

# What Jupyter Book says to Sphinx where _config.yml is silent.
DEFAULTS = {
    "comments_config": {"hypothesis": False, "utterances": False},
    "exclude_patterns": ["**.ipynb_checkpoints", ".DS_Store", "Thumbs.db", "_build"],
    "html_sourcelink_suffix": "",
    "html_theme": "sphinx_book_theme",
    "myst_url_schemes": ["mailto", "http", "https"],
    "numfig": True,
    "pygments_style": "sphinx",
    "suppress_warnings": ["myst.domains"],
    "use_multitoc_numbering": True,
}
THEME_DEFAULTS = {
    "search_bar_text": "Search this book...",
    "navbar_persistent": [],  # or the current theme has a header above its side bar, with a second search
}
# Keys of _config.yml, as paths, and what Sphinx and the theme call them.
SETTINGS = {
    "title": "html_title",
    "author": "author",
    "copyright": "copyright",
    "logo": "html_logo",
    "only_build_toc_files": "external_toc_exclude_missing",
    "bibtex_bibfiles": "bibtex_bibfiles",
    "execute.execute_notebooks": "nb_execution_mode",
    "execute.stderr_output": "nb_output_stderr",
    "parse.myst_enable_extensions": "myst_enable_extensions",
    "html.baseurl": "html_baseurl",
    "html.favicon": "html_favicon",
}
THEME_OPTIONS = {
    "repository.url": "repository_url",
    "repository.path_to_book": "path_to_docs",
    "repository.branch": "repository_branch",
    "launch_buttons": "launch_buttons",
    "html.use_repository_button": "use_repository_button",
    "html.use_issues_button": "use_issues_button",
    "html.home_page_in_navbar": "home_page_in_toc",
}
WHOLE = ("launch_buttons", "sphinx.local_extensions", "sphinx.config")  # taken as they are, whatever is in them
NAMED = ("sphinx", "docutils", "myst-nb", "myst-parser", "sphinx-book-theme")  # the versions told in the log
SHOWN = 60  # characters of a page that differs
LEFT_OUT = "jupyter_book"  # of the extensions: it only declares Jupyter Book's own settings


def settings(config: dict) -> dict:
    """Return Sphinx's settings that say what ``config``, the contents of ``_config.yml``, says to Jupyter Book.

    Raises:
        BookError: ``config`` has a key that nothing here translates, or does not list the extensions.
    """
    said = _flat(config)
    if unknown := sorted(said.keys() - SETTINGS.keys() - THEME_OPTIONS.keys() - set(WHOLE)):
        raise BookError(
            f"_config.yml says {', '.join(unknown)}, which plain Sphinx is not told: "
            f"say in {Path(__file__).name} what Sphinx calls it, or move it to sphinx.config"
        )
    own = said.get("sphinx.config", {})
    if "extensions" not in own:
        raise BookError("_config.yml has no sphinx.config.extensions: write the whole list, as plain Sphinx loads none")
    options = THEME_DEFAULTS | {name: said[key] for key, name in THEME_OPTIONS.items() if key in said}
    made = DEFAULTS | {name: said[key] for key, name in SETTINGS.items() if key in said}
    made |= {"html_theme_options": options, **own}
    return made | {"extensions": [name for name in own["extensions"] if name != LEFT_OUT]}


def _flat(config: dict, prefix: str = "") -> dict:
    found = {}
    for key, value in config.items():
        path = f"{prefix}{key}"
        found |= _flat(value, f"{path}.") if isinstance(value, dict) and path not in WHOLE else {path: value}
    return found


def conf(config: dict, packages: str = PACKAGES) -> str:
    """Return the text of ``conf.py`` for ``config``.

    ``packages`` comes last on the path, when the extensions have been imported, so that everything of Sphinx is that
    of the environment which runs it.
    """
    local = config.get("sphinx", {}).get("local_extensions", {})
    made = settings(config)
    foreign = [name for name in made["extensions"] if name not in local]
    lines = ['"""Derived from _config.yml by book/tools/plain_sphinx.py."""', ""]
    lines += ["import sys", "from importlib import import_module", "from pathlib import Path", ""]
    lines += [f"sys.path.insert(0, str(Path(__file__).parent / {folder!r}))" for folder in sorted(set(local.values()))]
    lines += [f"for name in {foreign!r}:", "    import_module(name)", f"sys.path.append({packages!r})", ""]
    return "\n".join(lines + [f"{name} = {value!r}" for name, value in sorted(made.items())]) + "\n"


def build(project: Project, python: Path) -> Path:
    """Build the staged book with the Sphinx of ``python``, and return the folder of the pages.

    Raises:
        BookError: nothing is staged, or Sphinx complains.
    """
    if not (project.stage / "_config.yml").exists():
        raise BookError(f"there is no staged book in {project.stage}: run `make book`")
    work = project.out / "plain-sphinx"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(project.stage, source := work / "source")
    (source / "conf.py").write_text(conf(read_yaml(source / "_config.yml")), encoding="utf-8")
    options = ["-W", "-n", "--keep-going", "-q", "-d", work / "doctrees", source, work / "html"]
    said = sphinx_run.run(project, [python, "-m", "sphinx", *options])
    if said.returncode:
        raise BookError(f"{said.stdout.rstrip()}\n\nSphinx complained")
    return work / "html"


def changed(before: Path, after: Path) -> list[str]:
    """List the pages of ``before`` that ``after`` lacks, and those whose article does not say the same.

    Blanks do not count, nor do generated pages, as an index.
    """
    found = []
    for page in sorted(path.relative_to(before) for path in before.glob("[!_]*/*.html")):
        if not (after / page).exists():
            found.append(f"{page} is missing")
        elif (old := _article(before / page)) != (new := _article(after / page)):
            at = next((i for i, (was, is_) in enumerate(zip(old, new, strict=False)) if was != is_), 0)
            found.append(f"{page} said {old[at : at + SHOWN]!r} and says {new[at : at + SHOWN]!r}")
    return found


def _article(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    article = re.search(r"<article\b.*</article>", text, re.DOTALL)
    words = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", "", article[0] if article else "", flags=re.DOTALL)
    return "".join(html.unescape(words).split())


def main() -> int:
    """Build the book in ``_build``; return the exit status, the reason for a failure last."""
    parser = argparse.ArgumentParser(description="Build the staged book with plain Sphinx.")
    parser.add_argument("--python", type=Path, required=True, help="the Python that has the current Sphinx")
    parser.add_argument("--out", type=Path, default=HERE / "_build", help="where `make book` has put everything")
    options = parser.parse_args()
    python, project = options.python.absolute(), Project(HERE, options.out.resolve())
    return command.run("make book-plain", lambda: _main(project, python), "the book is as it was")


def _main(project: Project, python: Path) -> int:
    versions = f"from importlib.metadata import version\nfor name in {NAMED}: print(name, version(name))"
    told = sphinx_run.run(project, [python, "-c", versions]).stdout.splitlines()
    print(f"building the pages with {', '.join(told)}", flush=True)
    try:
        with at_work(project):
            made = build(project, python)
            if pages := changed(project.html, made):
                raise BookError("\n".join(["These pages are not what Jupyter Book makes of them:", *pages]))
            epub.epub(project, made.parent / "book.epub", [python, "-c", LAUNCH.format(packages=PACKAGES)])
    except BookError as error:
        sys.stdout.flush()
        print(f"\nThe book cannot move to plain Sphinx as it is.\n\n{error}", file=sys.stderr)
        return 1
    print(f"Every article reads as in {project.html}, and the EPUB is made too: {made / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
