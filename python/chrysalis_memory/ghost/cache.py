"""`GhostCache`: the last known answers of this machine, shown with their age when the live one can't be had."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from time import time
from typing import Any, ClassVar, Final

from chrysalis_memory._opened import named
from chrysalis_memory.config import default_path
from chrysalis_memory.ghost.files import GhostFiles, GhostProblem, Kept
from chrysalis_memory.ghost.limits import PROBLEMS_REMEMBERED
from chrysalis_memory.ghost.pheromones import Pheromones
from chrysalis_memory.ghost.proposals import Proposals
from chrysalis_memory.ghost.records import GhostOverview, GhostReading, SnapshotInfo
from chrysalis_memory.ghost.snapshots import Snapshots
from chrysalis_memory.ghost.stability import Stability
from chrysalis_memory.ghost.staleness import BASE_THRESHOLD_S, Clock, Staleness, judge, threshold_s
from chrysalis_memory.records import Duration, duration_to_ms

__all__ = ["ENTRIES", "GhostCache", "default_ghost_path"]

ENTRIES: Final = {"status": "status.json", "map": "map.json", "cluster": "cluster/status.json"}
"""Entries of which there is one each, and where they lie."""

LAST_SYNC: Final = "_meta/last_sync.txt"
STABILITY: Final = "_meta/stability_score.json"

FOLDERS: Final = ("", "agents", "pheromones", "pheromones/by_type", "proposals", "cluster", "_meta")

_ABANDONED_S: Final = 3600.0
"""A file that has been unfinished for so long belongs to a process that is gone."""


def default_ghost_path(store: str | os.PathLike[str] | None = None) -> Path:
    """The folder of this user's ghost, beside the default store; another store has one of its own there.

    It is not kept with the other store: what can't be reached when the store can't be reached helps nobody.
    """
    default = default_path()
    path = default if store is None else Path(named(store)).expanduser().absolute()
    if path == default:
        return default.with_name("ghost")
    return default.with_name(f"ghost-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}")


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class GhostCache:
    """The last known answers, in a folder of small files; it needs no store, and any number of processes may use it.

    `path` is the folder, by default `default_ghost_path()`; it is made, for this user only, by the first write.
    `base_threshold` (seconds or a timedelta) is how long an answer is fresh where calls always fail; where they always
    succeed it is twice that. `now` is the clock, in UTC. What was not as it was written stands in `problems`.

    >>> import tempfile
    >>> from datetime import timedelta
    >>> at = [datetime(2026, 3, 1, 12, tzinfo=timezone.utc)]
    >>> ghost = GhostCache(tempfile.mkdtemp(), base_threshold=3600, now=lambda: at[0])
    >>> ghost.write("status", {"text": "59 memories"})
    >>> ghost.read("status").text
    '59 memories'
    >>> at[0] += timedelta(minutes=90)
    >>> print(ghost.read("status").text)
    [GHOST] 1 hour 30 minutes old; it counts as fresh for 1 hour
    59 memories
    >>> at[0] += timedelta(minutes=30)
    >>> ghost.read("status").text
    '[GHOST] not shown: 2 hours old; after 2 hours it would rather mislead than help'
    """

    keeps: ClassVar[bool] = True
    """Whether anything is written at all: see `NoGhost`."""

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        base_threshold: Duration = BASE_THRESHOLD_S,
        now: Clock = _utc_now,
    ) -> None:
        self.path = default_ghost_path() if path is None else Path(named(path)).expanduser()
        self.base_threshold_s = duration_to_ms(base_threshold) / 1000
        self.problems: deque[GhostProblem] = deque(maxlen=PROBLEMS_REMEMBERED)
        self.now = now
        self._files = GhostFiles(self.path, self.problems.append)
        self._snapshots = Snapshots(self._files)
        self.pheromones = Pheromones(self._files, now)
        self.proposals = Proposals(self._files, now)

    def write(self, what: str, data: Any) -> None:
        """Keeps the status, the map or the status of the cluster (`what`: status, map, cluster), in place of the last.

        `data` is any JSON value. Raises `ValueError` for anything else, `TooLarge`, and `StoreError` when the folder
        does not take it.
        """
        self._files.write(_place(what), data, self.now())

    def read(self, what: str) -> GhostReading | None:
        """What is kept under `status`, `map` or `cluster`, and how old it is; None if nothing is."""
        kept = self._files.read(_place(what))
        return None if kept is None else self._reading(what, None, kept)

    def write_agent(self, agent: str, state: Any) -> None:
        """Keeps the state of an agent, any JSON value, in place of the last. Any name of an agent will do."""
        self._snapshots.write(agent, state, self.now())

    def change_agent(self, agent: str, edit: Callable[[Any], Any]) -> None:
        """Keeps what `edit` makes of the agent's state (None if there is none); no other process writes meanwhile.

        If it returns the very state that it was given, nothing is written, and the state stays as old as it is.
        """
        self._snapshots.change(agent, edit, self.now())

    def read_agent(self, agent: str) -> GhostReading | None:
        """The state of an agent, and how old it is; None if nothing is kept."""
        kept = self._snapshots.read(agent)
        return None if kept is None else self._reading("agent", agent, kept)

    def remove_agent(self, agent: str) -> bool:
        """Takes an agent's state away; whether there was one."""
        return self._snapshots.remove(agent, self.now())

    def agents(self) -> list[SnapshotInfo]:
        """Of which agents there is a state, by name."""
        return self._snapshots.list()

    def judged(self, what: str, name: str | None, data: Any, written_at: datetime) -> GhostReading:
        """Anything that was written at some time, judged as this ghost judges its own entries."""
        return self._reading(what, name, Kept(data, written_at, 0))

    def _reading(self, what: str, name: str | None, kept: Kept) -> GhostReading:
        found = judge(kept.written_at, self.now(), self.threshold_s)
        data = None if found.level is Staleness.REFUSE else kept.data
        return GhostReading(what, name, found.level, kept.written_at, found.age_s, found.threshold_s, data, found.why)

    @property
    def threshold_s(self) -> float:
        """Until which age an answer is fresh now: base x (1 + stability), in seconds."""
        return threshold_s(self.base_threshold_s, self.stability().score)

    def stability(self) -> Stability:
        """How reliably the live answer was had in the last calls."""
        kept = self._files.read(STABILITY, Stability.from_dict)
        return Stability() if kept is None else Stability.from_dict(kept.data)

    def record_call(self, succeeded: bool) -> Stability:
        """Counts a call that tried for the live answer; a success is also the time of the last sync."""
        now = self.now()
        with self._files.locked():
            measured = self.stability().and_then(bool(succeeded))
            self._files.write(STABILITY, measured.to_dict(), now)
            if succeeded:
                self._files.write(LAST_SYNC, None, now)
        return measured

    def last_sync(self) -> datetime | None:
        """When a live answer was last had; None if never."""
        kept = self._files.read(LAST_SYNC)
        return None if kept is None else kept.written_at

    def overview(self) -> GhostOverview:
        """How this ghost stands. Reads every entry once; what is not ours is set aside by that and named."""
        entries = tuple(self._entries())
        return GhostOverview(
            path=str(self.path),
            stability=self.stability(),
            threshold_s=self.threshold_s,
            last_sync=self.last_sync(),
            entries=entries,
            pheromones=self.pheromones.strengths(),
            pending=len(self.proposals.pending()),
            rejected=len(self.proposals.rejected()),
            set_aside=tuple(place for folder in FOLDERS for place in self._files.set_aside(folder)),
            problems=tuple(self.problems),
        )

    def _entries(self) -> Iterator[GhostReading]:
        readings = [self.read(what) for what in ENTRIES]
        readings += [self.read_agent(one.agent) for one in self.agents()]
        return (one for one in readings if one is not None)

    def clear(self, *, set_aside: bool = False) -> list[str]:
        """Deletes all entries of this ghost, and nothing else in its folder; returns their places, in order.

        `set_aside=True` also deletes what was set aside, as far as it is files. Raises `StoreError`.
        """
        if not self.path.exists():
            return []
        with self._files.locked():
            places = [place for place in self._places() if self._files.remove(place)]
            if set_aside:
                aside = (place for folder in FOLDERS for place in self._files.set_aside(folder))
                places += [place for place in aside if self._files.remove(place)]
            self._drop_abandoned()
        return sorted(places)

    def _places(self) -> Iterator[str]:
        yield from (*ENTRIES.values(), LAST_SYNC, STABILITY)
        for folder in ("agents", "pheromones", "pheromones/by_type", "proposals"):
            yield from (f"{folder}/{name}" for name in self._files.names(folder))

    def _drop_abandoned(self) -> None:
        for folder in FOLDERS:
            for path in self._files.unfinished(folder):
                if time() - path.lstat().st_mtime > _ABANDONED_S:
                    path.unlink(missing_ok=True)


def _place(what: str) -> str:
    if what not in ENTRIES:
        raise ValueError(f"{what!r} is no entry of the ghost; there are {', '.join(ENTRIES)}")
    return ENTRIES[what]
