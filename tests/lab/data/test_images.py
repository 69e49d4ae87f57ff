"""The data: MNIST in its splits; embedded digits without a network."""

from pathlib import Path

import pytest
import torch
from torchvision.datasets import MNIST

from physnn.lab.data import images as module
from physnn.lab.data.mnist import DataError


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


def test_mnist_is_split_in_order(published, monkeypatch, capsys):
    monkeypatch.setattr(module, "VALIDATION", 2)
    mnist = module.load("mnist", root=published)
    splits = [split.labels.tolist() for split in (mnist.train, mnist.validation, mnist.test)]
    assert splits == [[0, 1, 2], [3, 4], [0, 1, 2]]
    assert mnist.train.images.shape == (3, 1, 28, 28)
    assert mnist.train.images.flatten()[:300].tolist() == [i % 251 for i in range(300)]
    monkeypatch.setenv("PHYSNN_DATA", str(published))
    assert module.load("mnist").checksum == mnist.checksum
    assert module.available() == "mnist" and str(published) in capsys.readouterr().out


def test_without_mnist_and_without_a_network_the_digits_are_there(tmp_path, monkeypatch, capsys):
    """But where a folder was named, this is an error."""
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:1/"])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PHYSNN_DATA")
    assert module.available() == "digits"
    out = capsys.readouterr().out
    assert f"data: MNIST is not in {tmp_path}/.cache/physnn; looking for it on the network, at most 300 s" in out
    assert "data: digits (8×8, embedded), because MNIST is not in" in out and "Connection refused" in out
    monkeypatch.setenv("PHYSNN_DATA", str(tmp_path / "data"))
    for call in (module.available, module.load):
        with pytest.raises(
            DataError, match=r"did not download \(http.*set PHYSNN_DATA to the folder that holds MNIST/raw"
        ):
            call()


@pytest.mark.parametrize("home", ["/dev/null", "/proc", None])
def test_without_a_home_the_digits_are_there(home, monkeypatch, capsys):
    monkeypatch.delenv("PHYSNN_DATA")
    if home:
        monkeypatch.setenv("HOME", home)
    else:  # nor an entry in /etc/passwd
        monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("Could not determine home.")))
    assert module.available() == "digits"
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("data: digits (8×8, embedded), because MNIST ") and "et PHYSNN_DATA to" in line
