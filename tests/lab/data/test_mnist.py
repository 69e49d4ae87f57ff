"""MNIST's files: found, or said where they lie; downloaded whole, in a time, or not at all."""

import gzip
import socket
import threading
import time
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from torchvision.datasets import MNIST

from physnn.lab.data import mnist

IMAGES = "train-images-idx3-ubyte"


@contextmanager
def served(handler):
    """Serve on loopback; give the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(published, tmp_path, monkeypatch):
    """A server that has the four files, packed."""
    (tmp_path / "mirror").mkdir()
    for name in mnist.FILES:
        packed = gzip.compress((published / "MNIST" / "raw" / name).read_bytes())
        (tmp_path / "mirror" / f"{name}.gz").write_bytes(packed)
    with served(partial(Quiet, directory=tmp_path / "mirror")) as address:
        monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:1/", address])
        yield tmp_path / "mirror"


@pytest.fixture
def silent(monkeypatch):
    """A proxy that accepts, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.getsockname()[1]}/"] * 2)
        yield


def test_what_is_missing_comes_from_the_first_mirror_that_has_it(published, mirror, tmp_path, capsys):
    assert mnist.read(tmp_path / "new") == mnist.read(published)
    assert f"MNIST is not in {tmp_path / 'new'}; looking for it on the network" in capsys.readouterr().out
    kept = {path.name: path.read_bytes() for path in (tmp_path / "new" / "MNIST" / "raw").iterdir()}
    assert list(kept.values()) == [(published / "MNIST" / "raw" / name).read_bytes() for name in kept]
    assert kept.keys() == mnist.FILES.keys(), "nothing half-written is left"
    mnist.read(tmp_path / "new")
    assert not capsys.readouterr().out


def test_several_may_download_into_one_folder(published, mirror, tmp_path):
    read = []
    threads = [threading.Thread(target=lambda: read.append(mnist.read(tmp_path / "new"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [mnist.read(published)] * 3


@pytest.mark.parametrize("damage", ["foreign", "page", "half"])
def test_what_a_mirror_gives_is_checked_before_it_is_kept(mirror, tmp_path, damage):
    path = mirror / f"{IMAGES}.gz"
    content = path.read_bytes()
    path.write_bytes({"foreign": gzip.compress(b"foreign"), "page": b"<html>", "half": content[:-30]}[damage])
    with pytest.raises(mnist.DataError, match="did not download") as caught:
        mnist.read(tmp_path / "new")
    assert str(MNIST.mirrors[1]) in str(caught.value) and "\n" not in str(caught.value)
    assert not list((tmp_path / "new" / "MNIST" / "raw").iterdir())


def test_a_server_that_never_answers_is_given_up(silent, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist, "SILENCE", 0.2)
    start = time.monotonic()
    with pytest.raises(mnist.DataError, match=r"did not download \(http.*timed out; http.*timed out\)"):
        mnist.read(tmp_path)
    assert time.monotonic() - start < 10
    assert "looking for it on the network" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["head", "body"])
def test_a_server_that_drips_is_given_up_when_the_time_is_over(tmp_path, monkeypatch, what):
    dripped = []

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self):
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 9000\r\n" + (b"\r\n" if what == "body" else b""))
            while True:
                self.wfile.write(b"a")
                dripped.append(1)
                time.sleep(0.05)

        def log_message(self, *_):
            pass

        def handle(self):
            try:
                super().handle()
            except OSError:  # nobody reads any more
                pass

    monkeypatch.setattr(mnist, "SILENCE", 5)
    monkeypatch.setattr(mnist, "LIMIT", 1)
    with served(Dripping) as address:
        monkeypatch.setattr(MNIST, "mirrors", [address])
        with pytest.raises(mnist.DataError, match=r"did not download \(it took longer than 1 s\)"):
            mnist.read(tmp_path)
        assert len(dripped) > 2


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_asked(tmp_path, monkeypatch, capsys):
    (tmp_path / "MNIST").write_text("a file")
    with pytest.raises(mnist.DataError, match=r"did not download \(.*File exists|Not a directory"):
        mnist.read(tmp_path)
    assert not capsys.readouterr().out


def test_a_full_disk_leaves_nothing_half_written(mirror, tmp_path, monkeypatch):
    def full(self, content):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(mnist.DataError, match="No space left on device"):
        mnist.read(tmp_path / "new")
    assert not list((tmp_path / "new" / "MNIST" / "raw").iterdir())


@pytest.mark.parametrize("damage", ["truncated", "foreign"])
def test_a_bad_file_is_named(published, damage):
    path = published / "MNIST" / "raw" / IMAGES
    blob = path.read_bytes()
    path.write_bytes(blob[:-100] if damage == "truncated" else gzip.compress(blob))
    with pytest.raises(mnist.DataError, match=rf"{IMAGES} \([\d,]+ bytes\) is truncated or not"):
        mnist.read(published)


def test_packed_files_are_read_and_half_ones_are_not(published, silent, monkeypatch):
    raw, before = published / "MNIST" / "raw", mnist.read(published)
    for path in list(raw.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert mnist.read(published) == before
    half = raw / f"{IMAGES}.gz"  # as torchvision leaves it
    half.write_bytes(half.read_bytes()[:-9])
    monkeypatch.setattr(mnist, "SILENCE", 0.1)
    with pytest.raises(mnist.DataError, match="did not download"):
        mnist.read(published)


@pytest.mark.parametrize(
    ("named", "moved", "said"),
    [
        ("data/MNIST", "MNIST/raw", r"set PHYSNN_DATA=\S+/data$"),
        (".", "MNIST/raw", r"set PHYSNN_DATA=\S+/data$"),
        ("data", "MNIST/MNIST/raw", r"set PHYSNN_DATA=\S+/data/MNIST$"),
        ("data/MNIST/raw", "MNIST/raw", r"set PHYSNN_DATA=\S+/data$"),
        ("data", "raw", "put the files into"),
        ("data", ".", "put the files into"),
        ("data", "mnist/raw", "put the files into"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_files_in_another_place_are_found_and_said(published, silent, named, moved, said, packed, monkeypatch):
    raw = published / "MNIST" / "raw"
    found = raw.rename(published / "moved")
    for path in list(found.iterdir()) if packed else ():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    (published / "MNIST").rmdir()
    (published / moved).mkdir(parents=True, exist_ok=True)
    for path in found.iterdir():
        path.rename(published / moved / path.name)
    monkeypatch.setenv("PHYSNN_DATA", str(published.parent / named))
    with pytest.raises(mnist.DataError, match=rf"MNIST is not in \S+/MNIST/raw, but \S+ is its [\w-]+: {said}"):
        mnist.read()


@pytest.mark.parametrize("name", [str.upper, lambda name: name.replace("-idx", ".idx")])
def test_files_under_other_names_are_found_and_said(published, silent, name):
    for path in list((published / "MNIST" / "raw").iterdir()):
        path.rename(path.with_name(name(path.name)))
    with pytest.raises(mnist.DataError, match=r"put the files into \S+/MNIST/raw, named train-images-idx3-ubyte, "):
        mnist.read(published)


def test_other_data_sets_with_files_of_these_names_are_not_taken_for_it(published, mirror):
    raw, before = published / "MNIST" / "raw", mnist.read(published)
    (published / "FashionMNIST").mkdir()
    raw.rename(published / "FashionMNIST" / "raw")
    for path in (published / "FashionMNIST" / "raw").iterdir():
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert mnist.read(published) == before


def test_a_relative_folder_and_one_in_the_home(published, monkeypatch):
    monkeypatch.chdir(published.parent)
    monkeypatch.setenv("HOME", str(published.parent))
    for text in ("data", "./data", "~/data", str(published)):
        monkeypatch.setenv("PHYSNN_DATA", text)
        assert mnist.folder().resolve() == published and mnist.folder().is_absolute()
    spaced = published.rename(published.parent / "my data {1}")
    assert len(mnist.read(spaced)) == 4
    monkeypatch.setenv("PHYSNN_DATA", "~nobody-of-this-name/data")
    with pytest.raises(mnist.DataError, match=r"MNIST has no folder: .* Set PHYSNN_DATA to one"):
        mnist.read()
