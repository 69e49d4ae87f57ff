"""What the page on running again says of machines, and its example."""

import re
from pathlib import Path

from book.tools import preflight
from physnn.lab.training.replicas import train

PAGE = (Path(__file__).resolve().parents[2] / "book" / "rerun.md").read_text(encoding="utf-8")


def test_the_page_names_the_platforms_that_the_setup_asks_for():
    for name, release in (("glibc", preflight.GLIBC), ("macOS", preflight.MACOS)):
        assert f"{name} {'.'.join(map(str, release))} or newer" in PAGE
    assert {"x86_64", "arm64"} <= set(preflight.PROCESSORS)


def test_the_example_of_training_on_a_gpu_runs(monkeypatch):
    """On small images and on the processor, as the tests have neither MNIST nor a GPU for certain."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    small = code.replace("[784,", "[64,").replace("train(replicas", 'train(replicas, "digits"').replace("cuda", "cpu")
    namespace: dict = {}
    exec(small, namespace)
    table = namespace["table"]
    assert len(table) == 8 * 4
    assert not table.diverged.any()
    direct = train(namespace["replicas"][:1], "digits", epochs=3)
    assert table.validation_accuracy[:4].tolist() == direct.validation_accuracy.tolist()
