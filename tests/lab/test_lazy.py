"""The packages import what is asked for and no more, and a name means the same whatever was imported before."""

import pickle
import subprocess
import sys

import pytest

import physnn
import physnn.lab


def python(code: str) -> str:
    """Run ``code`` in a fresh interpreter with every warning an error; return what it prints."""
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_command_line_needs_neither_torch_nor_ipython():
    heavy = "{'torch', 'IPython', 'pandas', 'distributed', 'papermill'}"
    lab = "physnn.lab, physnn.lab.sweeping.cli, physnn.lab.chapter.contract, physnn.lab.records.provenance"
    code = f"import sys, physnn, {lab}\n"
    assert python(f"{code}print(physnn.__version__, {heavy} & set(sys.modules))") == f"{physnn.__version__} set()\n"


def test_every_public_name_is_there_and_listed():
    for package in (physnn, physnn.lab):
        assert set(package.__all__) <= set(dir(package))
        for name in package.__all__:
            assert callable(getattr(package, name)), name
    assert physnn.layer.DynamicLinear is physnn.DynamicLinear
    assert pickle.loads(pickle.dumps(physnn.DynamicLinear)) is physnn.DynamicLinear


@pytest.mark.parametrize("package", [physnn, physnn.lab])
def test_an_unknown_name_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'glew'"):
        package.glew  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'glew'"):
        exec(f"from {package.__name__} import glew")


def test_a_function_of_the_lab_can_be_replaced(monkeypatch):
    monkeypatch.setattr("physnn.lab.glue", len)
    from physnn.lab import glue

    assert glue is len
