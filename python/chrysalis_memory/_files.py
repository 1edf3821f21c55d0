"""Writing a file so that it is whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import BinaryIO

__all__ = ["make_folder", "written_whole"]

# On Windows a file can't be replaced while somebody reads it; readers of small files are done in no time.
_TRIES = 100 if os.name == "nt" else 1
_PAUSE_S = 0.01


def make_folder(folder: Path) -> None:
    """The folder, open to this user only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def written_whole(path: Path, *, sync_folder: bool = True) -> Iterator[BinaryIO]:
    """A file to write to that takes `path`'s place at the end, on disk; after an exception nothing is left of it.

    Without `sync_folder` a power cut may bring back what stood there before, whole; that is twice as fast.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if sync_folder:
        _sync_folder(path.parent)


def _replace(name: str, path: Path) -> None:
    for left in reversed(range(_TRIES)):
        try:
            os.replace(name, path)
            return
        except PermissionError:
            if left == 0:
                raise
            sleep(_PAUSE_S)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
