"""MNIST's four files: where they lie, how they are downloaded, and that they are the published ones.

Torchvision's own download waits for a server that never answers, and leaves half a file when it is interrupted.
"""

import gzip
import hashlib
import os
import threading
import urllib.request
import zlib
from http.client import HTTPException
from itertools import islice
from pathlib import Path

VARIABLE = "PHYSNN_DATA"
# SHA-256 of the four files as published (LeCun, Cortes and Burges), unpacked.
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
SILENCE, LIMIT = 15, 300  # seconds that a server may say nothing, and for all of the 12 MB


class DataError(RuntimeError):
    """A file of the data set is missing, truncated or foreign, or could not be downloaded."""


class AbsentError(DataError):
    """Nobody has named a folder, and the data are neither in the usual one nor to be had from the network."""


def folder(root: str | Path | None = None) -> Path:
    """Return the folder that holds ``MNIST/raw``: ``root``, what ``PHYSNN_DATA`` names, or ``~/.cache/physnn``.

    Raises:
        DataError: the user has no home folder.
    """
    named = root or os.environ.get(VARIABLE)
    try:
        return (Path(named).expanduser() if named else Path.home() / ".cache" / "physnn").absolute()
    except RuntimeError as error:
        unknown = DataError if named else AbsentError
        raise unknown(f"MNIST has no folder: {error} Set {VARIABLE} to one, as an absolute path") from error


def read(root: str | Path | None = None) -> list[bytes]:
    """Return the contents of the four files, in the order of ``FILES``; download what is missing.

    Raises:
        AbsentError: no folder was named, and MNIST is neither in the usual one nor to be had.
        DataError: the folder that was named has no MNIST and it cannot be had, or its files lie elsewhere in it; or a
            file is truncated or foreign.
    """
    home = folder(root)
    raw = home / "MNIST" / "raw"
    try:
        contents = {name: content for name in FILES if (content := _read(raw, name)) is not None}
        if missing := [name for name in FILES if name not in contents]:
            _look_around(home, raw)
            raw.mkdir(parents=True, exist_ok=True)
            limits = f"at most {LIMIT} s, and {SILENCE} s without an answer"
            print(f"data: MNIST is not in {home}; looking for it on the network, {limits}", flush=True)
            contents |= _download(missing, raw)
    except OSError as error:
        absent = DataError if root or os.environ.get(VARIABLE) else AbsentError
        raise absent(
            f"MNIST is not in {home} and did not download ({error}). Put its files into {raw}, set {VARIABLE} to the "
            "folder that holds MNIST/raw, or use data='digits'"
        ) from error
    return [contents[name] for name in FILES]


def _read(raw: Path, name: str) -> bytes | None:
    """Return a file's content, unpacked; None where it is not there, or packed and incomplete."""
    path = raw / name
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        packed = _unpacked(path.with_name(f"{name}.gz"))
        return packed if _is(name, packed) else None
    if not _is(name, content):
        found = hashlib.sha256(content).hexdigest()
        raise DataError(
            f"{path} ({len(content):,} bytes) is truncated or not the published file: its SHA-256 is {found[:16]}…, "
            f"expected {FILES[name][:16]}…. Delete it and run again to download it"
        )
    return content


def _unpacked(path: Path) -> bytes:
    """Return the content of a file, packed or not; nothing where it cannot be read."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.name.lower().endswith(".gz") else content
    except (OSError, EOFError, zlib.error):
        return b""


def _is(name: str, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == FILES[name]


def _look_around(home: Path, raw: Path) -> None:
    """Raise DataError where MNIST lies in the folder, but in another place or under other names."""
    known = {name: name for name in FILES}
    for where, folders, names in islice(os.walk(home), 1000):
        if len(Path(where).relative_to(home).parts) == 4:
            folders.clear()
        for path in (Path(where, name) for name in sorted(names)):
            name = known.get(path.name.lower().removesuffix(".gz").replace(".", "-"))
            in_place = path.parent == raw and path.name.removesuffix(".gz") == name
            # Other data sets have files of these names as well.
            if name and not in_place and _is(name, _unpacked(path)):
                right = path.parent.parts[-2:] == raw.parts[-2:] and path.name.removesuffix(".gz") == name
                put = f"put the files into {raw}, named {', '.join(FILES)}"
                advice = f"set {VARIABLE}={path.parents[2]}" if right else put
                raise DataError(f"MNIST is not in {raw}, but {path} is its {name}: {advice}")


def _download(names: list[str], raw: Path) -> dict[str, bytes]:
    """Download files, verify and keep them. Raises OSError, also when the time is over; what has come is kept."""
    got: dict[str, bytes] = {}
    failed: list[str] = []

    def work() -> None:
        for name in names:
            if (content := _ask(name, failed)) is None:
                return
            got[name] = content

    # In a thread that is left alone when the time is over: a name server, too, may keep silent.
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(LIMIT)
    over, come = worker.is_alive(), dict(got)
    for name, content in come.items():
        part = raw / f".{name}.{os.getpid()}.{threading.get_ident()}.part"
        try:
            part.write_bytes(content)
            os.replace(part, raw / name)  # as a whole: another process may be reading, or downloading too
        finally:
            part.unlink(missing_ok=True)
    if over:
        raise TimeoutError(f"it took longer than {LIMIT} s")
    if failed and len(come) < len(names):
        raise OSError("; ".join(failed))
    return come


def _ask(name: str, failed: list[str]) -> bytes | None:
    """Return a published file from the first mirror that has it; None where none has, and why, in ``failed``."""
    from torchvision.datasets import MNIST  # takes seconds to import

    failed.clear()
    for mirror in MNIST.mirrors:
        try:
            with urllib.request.urlopen(f"{mirror}{name}.gz", timeout=SILENCE) as answer:
                content = gzip.decompress(answer.read(2**26))
            if _is(name, content):
                return content
            failed.append(f"{mirror} has another file")
        except (OSError, EOFError, ValueError, HTTPException, zlib.error) as error:
            failed.append(f"{mirror}: {error}")
    return None
