"""The audit log: what happened to the space and to the hub, a line of JSON each, in the store's folder.

It tells who joined, who was refused or removed, what was proven, forgotten and changed over HTTP, and which merges
brought conflicts. Never words of memories and never secrets: ids, keys, codes and counts. It is a report for people,
not the proof; the proof is the signed log.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time
from typing import Any, Final

from chrysalis_memory.records import from_ms, iso

__all__ = ["AuditLog", "read_audit"]

NAME: Final = "audit.jsonl"
TEXT_CHARACTERS_MAX: Final = 256
"""Longer texts (an id may be long) are cut: a line stays a line."""


class AuditLog:
    """Appends lines, and begins the next file when one is full. Thread-safe.

    A full disk loses lines, never the work that they tell of: `lost` counts them.
    """

    def __init__(
        self,
        store: str | os.PathLike[str],
        *,
        bytes_max: int,
        files_max: int,
        clock: Callable[[], float] = time,
    ) -> None:
        self._path = Path(store) / NAME
        self._bytes_max = bytes_max
        self._files_max = files_max
        self._clock = clock
        self._lock = threading.Lock()
        self.lost = 0

    def write(self, what: str, **about: Any) -> None:
        """One line: when, what, and about whom; entries that are None are left out."""
        told = {name: _bounded(value) for name, value in about.items() if value is not None}
        entry = {"at": iso(from_ms(int(self._clock() * 1000))), "what": what, **told}
        line = json.dumps(entry, ensure_ascii=True, default=str) + "\n"
        with self._lock:
            try:
                self._append(line.encode("ascii"))
            except OSError:
                self.lost += 1

    def _append(self, line: bytes) -> None:
        # Opened anew each time: another process may have begun the next file meanwhile.
        descriptor = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            whole = _after_torn(descriptor, size) + line
            if os.write(descriptor, whole) < len(whole):
                raise OSError("the disk took a part of the line")
        finally:
            os.close(descriptor)
        if size + len(line) >= self._bytes_max:
            self._begin_next()

    def _begin_next(self) -> None:
        self._numbered(self._files_max - 1).unlink(missing_ok=True)
        for number in range(self._files_max - 2, 0, -1):
            if self._numbered(number).exists():
                self._numbered(number).replace(self._numbered(number + 1))
        if self._files_max > 1:
            self._path.replace(self._numbered(1))
        else:
            self._path.unlink()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{NAME}.{number}")


def _after_torn(descriptor: int, size: int) -> bytes:
    """What ends the line that a killed process or a full disk left half written, so that it swallows no other. While
    another process is writing it may look so as well: then an empty line comes of it, which readers leave out."""
    if size == 0:
        return b""
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return b"" if os.read(descriptor, 1) == b"\n" else b"\n"


def read_audit(store: str | os.PathLike[str], *, limit: int, what: str | None = None) -> list[dict[str, Any]]:
    """The last `limit` entries, oldest first; only of this kind if one is named. Lines that are torn are left out."""
    kept: deque[dict[str, Any]] = deque(maxlen=limit)
    for entry in _entries(Path(store)):
        if what is None or entry["what"] == what:
            kept.append(entry)
    return list(kept)


def _entries(store: Path) -> Iterator[dict[str, Any]]:
    ended = [path for path in store.glob(f"{NAME}.*") if path.suffix[1:].isdigit()]
    for path in [*sorted(ended, key=lambda path: -int(path.suffix[1:])), store / NAME]:
        try:
            with path.open("rb") as file:
                yield from filter(None, map(_entry, file))
        except FileNotFoundError:
            continue


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("what"), str) else None


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:TEXT_CHARACTERS_MAX]
    if isinstance(value, list | tuple):
        return [_bounded(inner) for inner in value[:TEXT_CHARACTERS_MAX]]
    return value
