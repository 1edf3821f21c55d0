"""Writing a file so that it is whole or not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["make_folder", "written_whole"]


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
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if sync_folder:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
