"""One list of dependencies, one address, one version: every other mention agrees with pyproject.toml."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
URL = PROJECT["urls"]["Repository"]
LOCK = (ROOT / "requirements.lock").read_text()
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[!.]*.md"))


def required() -> list[Requirement]:
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    requirements = [Requirement(text) for group in lists for text in group]
    return [requirement for requirement in requirements if requirement.name != PROJECT["name"]]


def locked() -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        found.setdefault(name.lower().replace("_", "-"), []).append(Version(version))
    return found


@pytest.mark.parametrize("requirement", required(), ids=lambda requirement: requirement.name)
def test_the_lock_satisfies_every_requirement(requirement):
    versions = locked().get(requirement.name.lower().replace("_", "-"))
    assert versions, f"{requirement.name} is not in requirements.lock: run `make lock`"
    assert all(version in requirement.specifier for version in versions), f"{requirement}, locked {versions}"


def test_the_lock_names_no_address_and_hashes_everything():
    assert "://" not in LOCK
    assert "--index" not in LOCK and "--find-links" not in LOCK
    packages = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)
    assert [text.splitlines()[0] for text in packages if "==" in text and "--hash=sha256:" not in text] == []


def test_the_core_needs_torch_alone_with_a_lower_bound():
    (torch,) = map(Requirement, PROJECT["dependencies"])
    assert torch.name == "torch"
    assert {specifier.operator for specifier in torch.specifier} == {">="}


def test_conda_and_binder_take_their_packages_from_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, from_pyproject = environment["dependencies"]
    assert pip == "pip"
    assert from_pyproject == {"pip": ["-e .[book]"]}
    assert Version(python.removeprefix("python=")) >= oldest_python()


def oldest_python() -> Version:
    return Version(PROJECT["requires-python"].removeprefix(">="))


def test_the_oldest_python_is_the_same_everywhere():
    from book.tools import preflight

    assert Version(".".join(map(str, preflight.OLDEST))) == oldest_python()
    checks = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())
    tested = [Version(text) for text in checks["jobs"]["make"]["strategy"]["matrix"]["python"]]
    assert min(tested) == oldest_python()


def test_the_version_comes_from_the_tags_and_is_repeated_where_it_must_be():
    """A tag cannot be read everywhere: the citation and the changelog name the last release, and release.yml asks."""
    assert PROJECT["dynamic"] == ["version"] and "version" not in PROJECT
    newest = re.search(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == newest
    assert citation["license"] == PROJECT["license"]


def test_a_folder_that_is_not_installed_has_the_version_of_one_without_tags(tmp_path):
    (tmp_path / "physnn").symlink_to(ROOT / "physnn")
    code = f"import sys; sys.path = [{str(tmp_path)!r}, *sys.path]; import physnn; print(physnn.__version__)"
    bare = [sys.executable, "-I", "-S", "-c", code]  # without site-packages
    printed = subprocess.run(bare, capture_output=True, text=True, check=True).stdout.strip()
    assert printed == PYPROJECT["tool"]["hatch"]["version"]["fallback-version"]


def test_what_was_not_released_stands_first_in_the_changelog():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1:] == sorted(headings[1:], key=Version, reverse=True)


def test_the_oldest_glibc_is_the_one_that_torch_is_made_for():
    """A wheel says in its tag for which glibc it was made."""
    from book.tools import preflight

    tags = re.findall(r"manylinux_(\d+)_(\d+)", metadata.distribution("torch").read_text("WHEEL"))
    assert [tuple(map(int, tag)) for tag in tags] in ([preflight.GLIBC], []), "made for another glibc, or not for Linux"


def test_launch_buttons_and_citation_point_to_the_repository():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert config["repository"] == {"url": URL, "path_to_book": "", "branch": "main"}
    assert config["launch_buttons"]["colab_url"] and config["launch_buttons"]["binderhub_url"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["repository-code"] == URL


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_install_cell_takes_the_package_from_the_repository(source):
    assert f'"git+{URL}"' in source.read_text()


def test_every_address_of_the_repository_is_the_same():
    """In badges and links the owner and the name follow a host of launch buttons, or github.com itself."""
    owner_and_name = URL.removeprefix("https://github.com/")
    names = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff")
    places = [*(ROOT / name for name in names), ROOT / "Makefile", ROOT / "environment.yml", *NOTEBOOKS]
    places += [*(ROOT / "book").rglob("[!.]*.md"), *(ROOT / "physnn").rglob("*.py"), *(ROOT / ".github").rglob("*.yml")]
    for path in places:
        for found in re.findall(r"(?:github\.com|/github|/gh)/([\w.-]+/physnn)\b", path.read_text(encoding="utf-8")):
            assert found == owner_and_name, f"{path.relative_to(ROOT)} names {found}"
