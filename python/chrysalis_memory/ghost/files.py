"""The files of the ghost: read whole, written whole, and set aside when they are not ours.

The folder is where other programs, backups and people put things, too. What can't be read, is too large, is no JSON
of ours, is a link or a folder in a file's place: each is reported and renamed to `<name>.set-aside-<number>`, never
deleted, and the caller goes on as if nothing had been kept.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from filelock import FileLock, Timeout

from chrysalis_memory._files import make_folder, written_whole
from chrysalis_memory.errors import DiskFull, StoreError, StoreLocked, StoreReadOnly, TooLarge
from chrysalis_memory.ghost.limits import ENTRY_BYTES_MAX, FOLDER_NAMES_MAX, LOCK_WAIT_S, SET_ASIDE_MAX
from chrysalis_memory.importing.json_text import BadJson, parse
from chrysalis_memory.records import Record, from_ms, iso, to_ms

__all__ = ["LOCK", "Foreign", "GhostFiles", "GhostProblem", "Kept"]

VERSION: Final = 1

LOCK: Final = "_meta/.lock"

_ASIDE: Final = re.compile(r".+\.set-aside-[0-9]{1,9}")
_POLL_S: Final = 0.002
_LINE_BYTES_MAX: Final = 100

Check: TypeAlias = "Callable[[Any], object]"


@dataclass(frozen=True, slots=True)
class GhostProblem(Record):
    """Something in the folder that is not as it was written: where, what, and under which name it lies now."""

    place: str
    what: str
    set_aside_as: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file holds, and when it was written."""

    data: Any
    written_at: datetime
    size_bytes: int


class Foreign(ValueError):
    """What lies there is not what this program writes; `place` says where, if not where it was looked for."""

    def __init__(self, what: str, place: str | None = None) -> None:
        super().__init__(what)
        self.place = place


class GhostFiles:
    """One folder of small JSON files. Places are relative, with `/`, and made of safe names only."""

    def __init__(self, root: Path, report: Callable[[GhostProblem], None]) -> None:
        self.root = root
        self._report = report
        # Each thread holds the lock for itself, and as often as it likes.
        self._lock = FileLock(root / LOCK, timeout=LOCK_WAIT_S, mode=0o600)

    def read(self, place: str, check: Check | None = None) -> Kept | None:
        """What the file holds; None if there is none, or none of ours. `check` raises `ValueError` for a wrong shape.

        A file that is not JSON is a line with a time.
        """
        try:
            return self._read(place, check)
        except Foreign:
            return self._settled(place, check)

    def _read(self, place: str, check: Check | None = None) -> Kept | None:
        data = self._bytes(place)
        if data is None:
            return None
        try:
            kept = _entry(data) if place.endswith(".json") else _line(data)
            if check is not None:
                check(kept.data)
            return kept
        except UnicodeDecodeError:
            raise Foreign("it is no UTF-8") from None
        except ValueError as error:
            raise Foreign(str(error)) from None

    def _bytes(self, place: str) -> bytes | None:
        path = self.root / place
        try:
            if not self._is_ours(path):
                return None
            # A pipe in the file's place must not keep us waiting, and a link must not lead elsewhere.
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            with os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Foreign("it is no file")
                data = file.read(ENTRY_BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Foreign(f"it can't be read: {error.strerror or error}") from None
        if len(data) > ENTRY_BYTES_MAX:
            raise Foreign(f"it has more than {ENTRY_BYTES_MAX} bytes")
        return data

    def _is_ours(self, path: Path) -> bool:
        """Whether a file may be looked for there. Below the root no folder may be a link: it would lead out of it."""
        for folder in path.relative_to(self.root).parents[:-1]:
            mode = _mode(self.root / folder)
            if mode is None:
                return False
            if not stat.S_ISDIR(mode):
                raise Foreign("it is no folder", folder.as_posix())
        mode = _mode(path)
        if mode is not None and not stat.S_ISREG(mode):
            raise Foreign("it is a link" if stat.S_ISLNK(mode) else "it is no file")
        return mode is not None

    def write(self, place: str, data: Any, now: datetime) -> int:
        """Puts an entry in its place, whole; returns its bytes. A power cut may bring back the one before.

        Raises `ValueError` for what is no JSON, `TooLarge`, and `StoreError` when the folder does not take it.
        """
        is_json = place.endswith(".json")
        encoded = _encoded({"ghost": VERSION, "written_at": iso(now), "data": data} if is_json else iso(now))
        if len(encoded) > ENTRY_BYTES_MAX:
            raise TooLarge(
                f"{place} would have {len(encoded)} bytes; an entry of the ghost has at most {ENTRY_BYTES_MAX}",
                hint="Keep less of it: the ghost is for what is shown when the live answer can't be had.",
                size=len(encoded),
                limit=ENTRY_BYTES_MAX,
            )
        with self.locked(), self._faults():
            self._make_room(place)
            # After a power cut the entry before this one is as good: it says its age.
            with written_whole(self.root / place, sync_folder=False) as file:
                file.write(encoded)
        return len(encoded)

    def _make_room(self, place: str) -> None:
        """Sets aside what is in the way and not ours, so that writing never destroys it."""
        try:
            self._read(place)
        except Foreign as error:
            self._move_aside(error.place or place, str(error), must=True)
        for folder in reversed(Path(place).parents[:-1]):
            make_folder(self.root / folder)

    def remove(self, place: str) -> bool:
        """Takes away an entry that is ours; what is not, stays. Whether there was one."""
        try:
            if not self._is_ours(self.root / place):
                return False
        except Foreign:
            return False
        with self._faults():
            (self.root / place).unlink(missing_ok=True)
        return True

    def names(self, folder: str) -> list[str]:
        """Names of the JSON files in a folder, in order; of very many only some."""
        return sorted(name for name in self._scan(folder) if name.endswith(".json") and not name.startswith("."))

    def set_aside(self, folder: str = "") -> list[str]:
        """Places of what was set aside in a folder, in order."""
        prefix = f"{folder}/" if folder else ""
        return sorted(prefix + name for name in self._scan(folder) if _ASIDE.fullmatch(name))

    def unfinished(self, folder: str) -> list[Path]:
        """Files that were being written, now or when a process was killed."""
        names = (name for name in self._scan(folder) if name.startswith(".") and name != Path(LOCK).name)
        return [self.root / folder / name for name in names if ".json." in name or ".txt." in name]

    def _scan(self, folder: str) -> list[str]:
        try:
            if folder and not stat.S_ISDIR(_mode(self.root / folder) or 0):
                return []
            with os.scandir(self.root / folder) as found:
                return [entry.name for _, entry in zip(range(FOLDER_NAMES_MAX), found, strict=False)]
        except OSError:
            return []

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process and one thread at a time; within it, what was read is still so when it is written.

        Raises `StoreLocked` if another one holds the lock for too long.
        """
        with self._faults():
            make_folder(self.root)
            folder = self.root / "_meta"
            if not stat.S_ISDIR(_mode(folder) or stat.S_IFDIR):
                self._move_aside("_meta", "it is no folder", must=True)
            make_folder(folder)
            if not stat.S_ISREG(_mode(self.root / LOCK) or stat.S_IFREG):
                self._move_aside(LOCK, "it is no file", must=True)
            try:
                self._lock.acquire(poll_interval=_POLL_S)
            except Timeout:
                raise StoreLocked(
                    f"another process has held the ghost for {LOCK_WAIT_S:g} s",
                    path=str(self.root),
                    waited_s=LOCK_WAIT_S,
                    hint="Close the other program or wait for it.",
                ) from None
        try:
            yield
        finally:
            self._lock.release()

    def _settled(self, place: str, check: Check | None) -> Kept | None:
        """What it holds once nobody writes; if that is still not ours, it is reported and renamed."""
        try:
            with self.locked():
                try:
                    return self._read(place, check)
                except Foreign as error:
                    self._move_aside(error.place or place, str(error))
        except StoreError as error:
            self._report(GhostProblem(place, f"it can't be used, and not be set aside: {error}"))
        return None

    def _move_aside(self, place: str, what: str, *, must: bool = False) -> None:
        target = self._free_name(place)
        if target is not None and _renamed(self.root / place, self.root / target):
            self._report(GhostProblem(place, what, target))
            return
        self._report(GhostProblem(place, f"{what}; it could not be set aside"))
        if must:
            raise StoreError(
                f"{self.root / place} can't be used ({what}), and can't be set aside",
                code="ghost_unusable",
                hint="Look at the files named `*.set-aside-*` in that folder, and delete what nobody needs.",
                path=str(self.root),
            )

    def _free_name(self, place: str) -> str | None:
        """A name for it that nothing has yet, in its own folder; none once there are many."""
        folder = place.rpartition("/")[0]
        if len(self.set_aside(folder)) >= SET_ASIDE_MAX:
            return None
        names = (f"{place}.set-aside-{number}" for number in range(1, SET_ASIDE_MAX + 2))
        return next((name for name in names if not os.path.lexists(self.root / name)), None)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """What the system says, as an error of ours."""
        try:
            yield
        except OSError as error:
            kind = DiskFull if error.errno == errno.ENOSPC else _READ_ONLY.get(error.errno or 0, StoreError)
            code = "ghost_unusable" if kind is StoreError else kind.default_code
            what = f"the ghost in {self.root} can't be used: {error.strerror or error}"
            raise kind(what, code=code, hint=_HINT, path=str(self.root)) from error


_READ_ONLY: Final = dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), StoreReadOnly)
_HINT: Final = "Name a folder that takes writes."


def _mode(path: Path) -> int | None:
    """What kind of thing lies there, of a link the link itself; None if nothing does."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _renamed(path: Path, target: Path) -> bool:
    try:
        os.rename(path, target)
    except OSError:
        return False
    return True


def _entry(data: bytes) -> Kept:
    try:
        envelope = parse(data.decode("utf-8"))
    except BadJson as error:
        raise ValueError(f"it {error}") from None
    if not isinstance(envelope, dict) or envelope.get("ghost") != VERSION or "data" not in envelope:
        raise ValueError("it is no entry of the ghost, or of a later version")
    written_at = envelope.get("written_at")
    if not isinstance(written_at, str):
        raise ValueError("it does not say when it was written")
    return Kept(envelope["data"], from_ms(to_ms(written_at)), len(data))


def _line(data: bytes) -> Kept:
    line = data[:_LINE_BYTES_MAX].decode("utf-8")
    return Kept(line, from_ms(to_ms(line)), len(data))


def _encoded(said: dict[str, Any] | str) -> bytes:
    if isinstance(said, str):
        return f"{said}\n".encode()
    try:
        text = json.dumps(said, ensure_ascii=False, allow_nan=False)
        return f"{text}\n".encode()
    except UnicodeEncodeError:
        # Half of a character, as it comes out of texts that were cut, has no form in UTF-8, and one in JSON.
        return json.dumps(said, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON value: {error}") from None
