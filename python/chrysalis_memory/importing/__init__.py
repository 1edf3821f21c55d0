"""Readers of what other programs wrote: each yields records for `remember_many`, and problems by file and line.

Readers only read. A record carries an id that is derived from its source, so that storing what was read twice
stores it once; a record that cannot be used becomes an `ImportProblem`, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Final

from chrysalis_memory.importing.chatgpt import read_chatgpt
from chrysalis_memory.importing.claude import read_claude
from chrysalis_memory.importing.detect import FORMATS, detect, export_files
from chrysalis_memory.importing.jsonlines import read_json_lines
from chrysalis_memory.importing.markdown import read_markdown
from chrysalis_memory.importing.mcp import read_mcp
from chrysalis_memory.importing.mem0 import read_mem0
from chrysalis_memory.importing.record import Record
from chrysalis_memory.importing.text import Unreadable
from chrysalis_memory.records import ImportProblem

__all__ = ["FORMATS", "Record", "detect", "read_records"]

_READERS: Final[dict[str, Callable[[Path], Iterator[Record | ImportProblem]]]] = {
    "markdown": read_markdown,
    "jsonl": read_json_lines,
    "chatgpt": read_chatgpt,
    "claude": read_claude,
    "mcp": read_mcp,
    "mem0": read_mem0,
}


def read_records(path: str | PathLike[str], *, format: str | None = None) -> Iterator[Record | ImportProblem]:
    """The records of a file or folder in the order in which they stand there, and what could not be read.

    `format` is one of `FORMATS`; without it, the content tells. Raises `ValueError` for another format; everything
    that is wrong with the file is yielded, not raised.

    >>> import pathlib, tempfile
    >>> notes = pathlib.Path(tempfile.mkdtemp(), "notes.jsonl")
    >>> _ = notes.write_text('{"content": "The kiln reaches 1240 degrees."}\\nnot JSON\\n')
    >>> [type(item).__name__ for item in read_records(notes)]
    ['dict', 'ImportProblem']
    """
    if format is not None and format not in _READERS:
        raise ValueError(f"format is {format!r}; it must be one of {', '.join(FORMATS)}")
    return _read(Path(path), format)


def _read(path: Path, format: str | None) -> Iterator[Record | ImportProblem]:
    try:
        found = format or detect(path)
        if found is None:
            raise Unreadable(path, f"is none of the formats known here ({', '.join(FORMATS)})")
        for file in _files(path, found):
            yield from _READERS[found](file)
    except Unreadable as error:
        yield error.problem


def _files(path: Path, format: str) -> list[Path]:
    if format == "markdown" or not path.is_dir():
        return [path]
    if files := export_files(path):
        return files
    raise Unreadable(path, "is a folder without conversations.json")
