"""Files that are whole or not there, and folders that one process at a time works in."""

import errno
import fcntl
import json
import os
import subprocess
import sys

import pytest

from physnn.lab.running import files


def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    files.write(path, "a\nb\r\n")
    assert path.read_bytes() == b"a\nb\r\n"
    files.write(tmp_path / "half a sign", '"\ud83d"')
    assert json.loads((tmp_path / "half a sign").read_bytes()) == "\ud83d"
    (tmp_path / "half a sign").unlink()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, b"other")
    assert path.read_bytes() == b"a\nb\r\n"
    assert len(list(tmp_path.iterdir())) == 2
    (tmp_path / "kept.part").touch()
    files.tidy(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"table.csv", "kept.part"}


def test_a_folder_is_for_one_process_at_a_time(tmp_path):
    folder = tmp_path / "new"
    code = (
        "import pathlib, sys; from physnn.lab.running.files import alone\n"
        "with alone(pathlib.Path(sys.argv[1]), 'sweep'): print('inside', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with files.alone(folder, "sweep"):
        other = subprocess.Popen([sys.executable, "-c", code, folder], **pipes)
        assert other.stdout.readline() == f"waiting for another sweep in {folder}\n"
    with other:
        assert other.stdout.readline() == "inside\n"
        other.kill()  # the lock goes with it
    with files.alone(folder, "sweep"):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, capsys, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with files.alone(tmp_path, "build"):
        said = capsys.readouterr().out
    assert said == f"warning: {tmp_path} has no locks ({os.strerror(number)}): start no second build in it\n"


def test_another_fault_of_a_lock_is_an_error(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"), files.alone(tmp_path, "build"):
        pass
