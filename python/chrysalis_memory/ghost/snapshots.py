"""Snapshots of agents: a file for each, and an index of who has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from chrysalis_memory.ghost.limits import AGENTS_BYTES_MAX, AGENTS_MAX
from chrysalis_memory.ghost.names import checked_name, file_name
from chrysalis_memory.ghost.records import SnapshotInfo
from chrysalis_memory.records import from_ms, to_ms

if TYPE_CHECKING:
    from chrysalis_memory.ghost.files import GhostFiles, Kept

__all__ = ["Snapshots"]

FOLDER: Final = "agents"
INDEX_NAME: Final = "_index.json"
INDEX: Final = f"{FOLDER}/{INDEX_NAME}"


class Snapshots:
    """The snapshots of one ghost. The files are the ground: an index that is lost is made again from them."""

    def __init__(self, files: GhostFiles) -> None:
        self._files = files

    def read(self, agent: str) -> Kept | None:
        """The agent's snapshot; `data` is its state."""
        name = checked_name("the agent", agent)
        kept = self._files.read(_place(name), _check)
        if kept is None or kept.data["agent"] != name:
            return None
        return type(kept)(kept.data["state"], kept.written_at, kept.size_bytes)

    def write(self, agent: str, state: Any, now: datetime) -> None:
        """Keeps the agent's state in place of the one before."""
        self.change(agent, lambda _: state, now)

    def change(self, agent: str, edit: Callable[[Any], Any], now: datetime) -> None:
        """Keeps what `edit` makes of the state that is there (None without one); nobody else writes meanwhile.

        The very state that it was given means that nothing changes.
        """
        name = checked_name("the agent", agent)
        with self._files.locked():
            before = self.read(name)
            state = edit(before.data if before else None)
            if before is not None and state is before.data:
                return
            size = self._files.write(_place(name), {"agent": name, "state": state}, now)
            self._refresh(now, SnapshotInfo(name, f"{file_name(name)}.json", now, size))

    def remove(self, agent: str, now: datetime) -> bool:
        """Takes the agent's snapshot away; whether there was one."""
        name = checked_name("the agent", agent)
        with self._files.locked():
            if self.read(name) is None:
                return False
            self._files.remove(_place(name))
            self._refresh(now)
        return True

    def list(self) -> list[SnapshotInfo]:
        """Who has a snapshot, by name. The index is believed of files that are there; others are looked into."""
        return sorted(self._found(self._index()), key=lambda one: one.agent)

    def _index(self) -> dict[str, SnapshotInfo]:
        kept = self._files.read(INDEX, _index)
        return {} if kept is None else _index(kept.data)

    def _found(self, known: dict[str, SnapshotInfo]) -> Iterator[SnapshotInfo]:
        for file in self._files.names(FOLDER):
            if file in known:
                yield known[file]
            elif file != INDEX_NAME and (kept := self._files.read(f"{FOLDER}/{file}", _check)) is not None:
                yield SnapshotInfo(kept.data["agent"], file, kept.written_at, kept.size_bytes)

    def _refresh(self, now: datetime, changed: SnapshotInfo | None = None) -> None:
        known = self._index()
        if changed is not None:
            known[changed.file] = changed
        newest = sorted(self._found(known), key=lambda one: (one.written_at, one.agent), reverse=True)
        kept: list[SnapshotInfo] = []
        total = 0
        for one in newest:
            total += one.size_bytes
            if len(kept) < AGENTS_MAX and total <= AGENTS_BYTES_MAX:
                kept.append(one)
            else:
                self._files.remove(f"{FOLDER}/{one.file}")
        self._files.write(INDEX, {"agents": [one.to_dict() for one in kept]}, now)


def _place(agent: str) -> str:
    return f"{FOLDER}/{file_name(agent)}.json"


def _check(data: Any) -> None:
    if not isinstance(data, dict) or "state" not in data:
        raise ValueError("it is no snapshot of an agent")
    checked_name("the agent", data.get("agent"))


def _index(data: Any) -> dict[str, SnapshotInfo]:
    found = data.get("agents") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise ValueError("it is no index of snapshots")
    return {info.file: info for info in map(_info, found)}


def _info(found: Any) -> SnapshotInfo:
    try:
        agent, size = checked_name("the agent", found["agent"]), found["size_bytes"]
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ValueError("a number of bytes is a whole number")
        return SnapshotInfo(agent, f"{file_name(agent)}.json", from_ms(to_ms(str(found["written_at"]))), size)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the index is not as it was written: {error}") from None
