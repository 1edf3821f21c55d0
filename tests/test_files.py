"""Writing a file so that it is whole or not there."""

import os

import pytest

from chrysalis_memory import _files
from chrysalis_memory._files import make_folder, written_whole


def write(path, data, **more):
    with written_whole(path, **more) as file:
        file.write(data)


@pytest.mark.parametrize("sync_folder", [True, False])
def test_a_file_takes_its_place_at_the_end_and_leaves_nothing_else(tmp_path, sync_folder):
    path = tmp_path / "file"
    for data in (b"first", b"second"):
        write(path, data, sync_folder=sync_folder)
        assert path.read_bytes() == data
    assert os.listdir(tmp_path) == ["file"]


def test_after_an_exception_what_was_there_stays(tmp_path):
    path = tmp_path / "file"
    write(path, b"before")
    with pytest.raises(TypeError):
        write(path, "no bytes")
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_that_somebody_reads_is_replaced_as_soon_as_that_is_allowed(tmp_path, monkeypatch):
    replace, refusals = os.replace, [PermissionError(13, "in use")] * 2

    def busy(source, target):
        if refusals:
            raise refusals.pop()
        replace(source, target)

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(_files, "_TRIES", 3)
    write(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"


def test_a_file_that_is_never_let_go_is_an_error_and_leaves_nothing(tmp_path, monkeypatch):
    def busy(*_):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(_files, "_TRIES", 2)
    with pytest.raises(PermissionError):
        write(tmp_path / "file", b"data")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_files_and_folders_are_for_their_owner_only(tmp_path):
    make_folder(tmp_path / "one")
    write(tmp_path / "one" / "file", b"data")
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "one" / "file").stat().st_mode & 0o777 == 0o600
    make_folder(tmp_path / "one")
