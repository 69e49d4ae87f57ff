"""One list of dependencies, one address, one version: every other mention agrees with pyproject.toml."""

import re
import tomllib
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
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))


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


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    (written,) = re.findall(r'^__version__ = "(.+)"$', (ROOT / "physnn/__init__.py").read_text(), re.MULTILINE)
    assert written == PROJECT["version"]


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
    places = [ROOT / "README.md", ROOT / "CITATION.cff", ROOT / "Makefile", ROOT / "environment.yml", *NOTEBOOKS]
    places += [*(ROOT / "book").rglob("*.md"), *(ROOT / "physnn").rglob("*.py"), *(ROOT / ".github").rglob("*.yml")]
    for path in places:
        for found in re.findall(r"(?:github\.com|/github|/gh)/([\w.-]+/physnn)\b", path.read_text(encoding="utf-8")):
            assert found == owner_and_name, f"{path.relative_to(ROOT)} names {found}"
