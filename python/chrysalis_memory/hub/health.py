"""Whether the hub is well: it tries, and does not assume.

Each check does the thing itself: the disk takes a file and syncs it, the store gives its write lock, the listener
accepts a connection, the loop of links has turned lately. Writing is done at most every few seconds, whoever asks.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from chrysalis_memory.errors import ChrysalisError
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.records import Record

__all__ = ["Check", "Health", "accepts", "store_checks"]

PROBE_BYTES: Final = 256 << 10
"""What a probe writes: about what a transaction of many operations needs in the write-ahead log."""

CONNECT_S: Final = 2.0
"""A listener on this machine that has not accepted by then does not."""

_PROBE_NAME: Final = "health-probe"


@dataclass(frozen=True, slots=True)
class Check(Record):
    """One thing that was tried: its name, whether it went well, and if not, why in plain words."""

    name: str
    ok: bool
    why: str = ""


Tried = Callable[[], None]
"""Does the thing; raises when it does not go well."""


class Unwell(Exception):
    """What a check found, in plain words that may be shown to anybody."""


class Health:
    """Runs the checks, at most once in `interval_s`; those who ask in between get the last answer. Thread-safe."""

    def __init__(self, *, interval_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._tried: dict[str, Tried] = {}
        self._lock = threading.Lock()
        self._checked: tuple[Check, ...] = ()
        self._at: float | None = None

    def add(self, name: str, tried: Tried) -> None:
        """One more thing to try; one of that name is replaced."""
        self._tried[name] = tried

    def look(self) -> tuple[Check, ...]:
        """The checks, now or lately."""
        with self._lock:
            now = self._clock()
            if self._at is None or now - self._at >= self._interval_s:
                self._checked = tuple(_run(name, tried) for name, tried in self._tried.items())
                self._at = now
            return self._checked


def _run(name: str, tried: Tried) -> Check:
    try:
        tried()
    except Unwell as error:
        return Check(name, False, str(error))
    except ChrysalisError as error:
        return Check(name, False, error.code)
    except OSError as error:
        # Without the path: whoever may ask for health need not know where the store lies.
        return Check(name, False, error.strerror or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - a check that breaks is a check that failed
        return Check(name, False, type(error).__name__)
    return Check(name, True)


def store_checks(memory: ChrysalisMemory, disk_free_bytes_min: int) -> dict[str, Tried]:
    """What is tried of a store: the disk takes bytes, it has room, and the database gives its write lock."""
    folder = memory.path
    return {
        "disk": lambda: _write_probe(folder),
        "room": lambda: _has_room(folder, disk_free_bytes_min),
        "store": lambda: _begin_and_undo(memory),
    }


def _write_probe(folder: Path) -> None:
    """Writes and syncs a file, as a commit does: a full or failing disk shows here first."""
    path = folder / _PROBE_NAME
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        written = os.write(descriptor, bytes(PROBE_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            path.unlink()
    if written < PROBE_BYTES:
        raise Unwell("the disk took a part of what was written")


def _has_room(folder: Path, bytes_min: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < bytes_min:
        raise Unwell(f"{free} bytes are free on the disk; {bytes_min} are wanted")


class _UndoError(Exception):
    """Takes a transaction back."""


def _begin_and_undo(memory: ChrysalisMemory) -> None:
    """The write lock is taken as for any write, and given back."""
    with suppress(_UndoError), memory.batch():
        memory.get("health-probe")
        raise _UndoError


def accepts(host: str, port: int) -> Tried:
    """Something accepts connections there."""

    def connect() -> None:
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what the hub listens on
        try:
            socket.create_connection((reached, port), timeout=CONNECT_S).close()
        except OSError:
            raise Unwell("the listener does not accept connections") from None

    return connect


def as_answer(checks: tuple[Check, ...]) -> dict[str, Any]:
    """As /health answers it.

    >>> as_answer((Check("disk", True), Check("room", False, "12 bytes are free on the disk; 64 are wanted")))["status"]
    'unwell'
    """
    failed = [check for check in checks if not check.ok]
    return {
        "status": "unwell" if failed else "well",
        "checks": {check.name: "ok" if check.ok else check.why for check in checks},
        "reasons": [f"{check.name}: {check.why}" for check in failed],
    }
