"""Reading files that nobody has vouched for: bounded, and with every complaint tied to a file and a line."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from chrysalis_memory.importing.limits import FILE_BYTES_MAX, LINE_BYTES_MAX
from chrysalis_memory.records import ImportProblem

_BOM = "\ufeff"


class Unreadable(Exception):
    """A file cannot be read as a whole; carries the problem to report."""

    def __init__(self, path: Path, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.problem = ImportProblem(str(path), line, what)


def read_text(path: Path, bytes_max: int = FILE_BYTES_MAX) -> str:
    """The whole file as text without a byte order mark; raises `Unreadable` with the line of the first bad byte."""
    _require_file(path, bytes_max)
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror}") from error
    if len(data) > bytes_max:
        raise Unreadable(path, _too_large(bytes_max))
    try:
        return data.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(path, f"is no UTF-8 text (byte {data[error.start]:#04x})", line) from None


def read_lines(path: Path, bytes_max: int = LINE_BYTES_MAX) -> Iterator[tuple[int, str] | ImportProblem]:
    """Each line that is not blank with its number, in order; a bad line becomes a problem and the rest goes on."""
    _require_file(path, None)
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(bytes_max + 1):
                number += 1
                if len(line) > bytes_max and not line.endswith(b"\n"):
                    yield ImportProblem(str(path), number, f"line is longer than {_mebibytes(bytes_max)}")
                    _skip_rest_of_line(file, bytes_max)
                else:
                    yield from _decoded(path, number, line)
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror}") from error


def read_head(path: Path, bytes_max: int) -> str:
    """The beginning of a file as text, for looking at; what is no UTF-8 is replaced."""
    _require_file(path, None)
    try:
        with path.open("rb") as file:
            return file.read(bytes_max).decode("utf-8", "replace").removeprefix(_BOM)
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror}") from error


def _decoded(path: Path, number: int, line: bytes) -> Iterator[tuple[int, str] | ImportProblem]:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        yield ImportProblem(str(path), number, f"is no UTF-8 text (byte {line[error.start]:#04x})")
        return
    text = text.removeprefix(_BOM).strip() if number == 1 else text.strip()
    if text:
        yield number, text


def _skip_rest_of_line(file: BinaryIO, bytes_max: int) -> None:
    while (piece := file.readline(bytes_max)) and not piece.endswith(b"\n"):
        pass


def _require_file(path: Path, bytes_max: int | None) -> None:
    try:
        status = path.stat()
    except OSError as error:
        raise Unreadable(path, f"cannot be read: {error.strerror}") from error
    # Opening a pipe or a device could wait for ever.
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable(path, "is not a regular file")
    if bytes_max is not None and status.st_size > bytes_max:
        raise Unreadable(path, _too_large(bytes_max))


def _too_large(bytes_max: int) -> str:
    return f"is larger than {_mebibytes(bytes_max)}"


def _mebibytes(count: int) -> str:
    return f"{count >> 20} MiB"
