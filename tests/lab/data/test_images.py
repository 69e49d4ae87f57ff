"""The data: the published files and no others; embedded digits without a network."""

import gzip

import pytest
import torch

from physnn.lab.data import images as module


def test_digits_need_no_network_and_do_not_overlap():
    digits = module.load("digits")
    assert [len(split) for split in (digits.train, digits.validation, digits.test)] == [1197, 300, 300]
    assert digits.train.images.shape == (1197, 1, 8, 8) and digits.train.images.dtype == torch.uint8
    assert digits.pixels == 64 and "not MNIST" in digits.describe()
    x = digits.as_input(digits.test.images)
    assert x.min() == 0 and x.max() == 1
    for split in (digits.train, digits.validation, digits.test):
        assert (torch.bincount(split.labels) / len(split) > 0.05).all()  # every class is there
    images = torch.cat([digits.train.images, digits.validation.images, digits.test.images])
    from sklearn.datasets import load_digits

    assert sorted(map(bytes, images.numpy())) == sorted(map(bytes, load_digits().images.astype("uint8")))
    assert digits.checksum == module.load("digits").checksum


def test_unknown_name():
    with pytest.raises(ValueError, match="mnist, digits, got 'cifar'"):
        module.load("cifar")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A folder with four small idx files, taken for the published ones."""
    import hashlib

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    monkeypatch.setattr(module, "VALIDATION", 2)
    for part, count in (("train", 5), ("t10k", 3)):
        images = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (count, 28, 28))
        labels = bytes([0, 0, 8, 1]) + count.to_bytes(4, "big")
        content = {
            f"{part}-images-idx3-ubyte": images + bytes(i % 251 for i in range(count * 784)),
            f"{part}-labels-idx1-ubyte": labels + bytes(range(count)),
        }
        for name, blob in content.items():
            (raw / name).write_bytes(blob)
            monkeypatch.setitem(module.FILES, name, hashlib.sha256(blob).hexdigest())
    return tmp_path


def test_mnist_files_are_split_in_order(published, monkeypatch, capsys):
    mnist = module.load("mnist", root=published)
    assert [split.labels.tolist() for split in (mnist.train, mnist.validation, mnist.test)] == [
        [0, 1, 2],
        [3, 4],
        [0, 1, 2],
    ]
    assert mnist.train.images.shape == (3, 1, 28, 28)
    assert mnist.train.images.flatten()[:300].tolist() == [i % 251 for i in range(300)]
    monkeypatch.setenv("PHYSNN_DATA", str(published))
    assert module.load("mnist").checksum == mnist.checksum
    assert module.available() == "mnist" and str(published) in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
def test_a_bad_file_is_named(published, damage):
    path = published / "MNIST" / "raw" / "train-images-idx3-ubyte"
    blob = path.read_bytes()
    path.write_bytes(blob[:-100] if damage == "truncated" else gzip.compress(blob))
    for call in (module.available, lambda root: module.load("mnist", root=root)):
        with pytest.raises(module.DataError, match=r"train-images-idx3-ubyte \([\d,]+ bytes\) is truncated or not"):
            call(published)


def test_without_mnist_and_without_a_network(tmp_path, monkeypatch, capsys):
    from torchvision.datasets import MNIST

    def refuse(self):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr(MNIST, "download", refuse)
    assert module.available(tmp_path) == "digits"
    assert "did not download: Error downloading" in capsys.readouterr().out
    with pytest.raises(module.DataError, match="set PHYSNN_DATA to the folder that holds MNIST/raw"):
        module.load("mnist", root=tmp_path)
