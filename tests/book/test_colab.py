"""Every chapter on Colab: it installs the package itself, touches nothing installed, and glues what pages want.

With the parameters of the tests, that is, so that the numbers which its text shows as fixed are held against these.
"""

import subprocess
import sys
import venv

import nbformat
import pytest

from book.tools import glue_keys, stage, values
from book.tools.project import Project
from physnn.lab.running.outcome import glued
from tests.book import colab

# What the book may count on; Colab ships far more.
SHIPPED = ["torch", "torchvision", "matplotlib", "seaborn", "ipykernel", "nbclient"]
# What Colab ships too or pip would fetch within seconds: `make test` works offline, so it need not download them again.
AT_HAND = [
    "arviz-stats",
    "bokeh",
    "geoopt",
    "gymnasium",
    "mnist1d",
    "pyyaml",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "tqdm",
]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return colab.snapshot(tmp_path_factory.mktemp("snapshot"))


def run_every_chapter(python, folder, source, **variables):
    before = colab.versions(python)
    assert "physnn" not in before
    project = Project(colab.ROOT, folder)
    project.executed.mkdir()
    for stem in colab.stems():
        result = colab.run(python, colab.notebook_to_run(stem, project.executed), source, **variables)
        assert result.returncode == 0, f"{stem} stops on Colab:\n{result.stderr[-3000:]}"
    after = colab.versions(python)
    assert "physnn" in after, "the chapters ran without installing the package: is the first cell gone?"
    changed = {name: (version, after.get(name)) for name, version in before.items() if after.get(name) != version}
    assert not changed, f"the chapters changed what was installed: {changed}"
    assert glue_keys.missing(project, stage.pages(project)) == []  # on the small images, too
    assert glue_keys.twice(project) == []
    made = {
        source: nbformat.read(project.executed / f"{source.stem}.ipynb", as_version=4) for source in project.sources
    }
    assert [said for source, notebook in made.items() for said in values.stale(source, glued(notebook))] == []


def test_chapters_run_in_a_stand_in_for_colab(tmp_path, snapshot):
    """Offline: the environment is made of links, and the package is installed from a wheel built here."""
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=snapshot, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    python = colab.linked_environment(tmp_path / "colab", SHIPPED + AT_HAND)
    run_every_chapter(python, tmp_path, wheel.as_uri(), PIP_NO_INDEX="1")


@pytest.mark.colab
def test_chapters_run_in_a_clean_environment(tmp_path, snapshot):
    """As Colab does it, from the repository: downloads several GB, so `make check-colab` runs it alone."""
    venv.create(tmp_path / "colab", with_pip=True)
    python = tmp_path / "colab" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *SHIPPED], check=True, env=colab.clean())
    # The host is named because pip before 24.1 takes an address without one for a path.
    run_every_chapter(python, tmp_path, f"git+file://localhost{snapshot}")
