"""Four small files that are taken for MNIST's."""

import hashlib

import pytest

from physnn.lab.data import mnist


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Return a folder with four small idx files, taken for the published ones."""
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 5), ("t10k", 3)):
        images = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (count, 28, 28))
        labels = bytes([0, 0, 8, 1]) + count.to_bytes(4, "big")
        content = {
            f"{part}-images-idx3-ubyte": images + bytes(i % 251 for i in range(count * 784)),
            f"{part}-labels-idx1-ubyte": labels + bytes(range(count)),
        }
        for name, blob in content.items():
            (raw / name).write_bytes(blob)
            monkeypatch.setitem(mnist.FILES, name, hashlib.sha256(blob).hexdigest())
    return tmp_path / "data"
