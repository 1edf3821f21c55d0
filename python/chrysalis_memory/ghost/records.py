"""What the ghost answers with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chrysalis_memory.ghost.files import GhostProblem
from chrysalis_memory.ghost.stability import Stability
from chrysalis_memory.ghost.staleness import GHOST_PREFIX, Staleness, in_words
from chrysalis_memory.records import Record

__all__ = ["GhostOverview", "GhostReading", "SnapshotInfo", "as_text"]


@dataclass(frozen=True, slots=True)
class GhostReading(Record):
    """A kept answer: when it was written, how old it is (s), and what that means.

    `why` says why it is stale or refused. A refused one has no data: what would mislead is not handed out.
    """

    what: str
    name: str | None
    level: Staleness
    written_at: datetime
    age_s: float
    threshold_s: float
    data: Any
    why: str = ""

    @property
    def age(self) -> str:
        """Its age in words."""
        return f"{in_words(self.age_s)} old" if self.age_s >= 0 else "from the future"

    @property
    def text(self) -> str:
        """As it is shown: plainly when fresh, with `[GHOST]` and its age when stale, and only the reason if refused."""
        if self.level is Staleness.REFUSE:
            return f"{GHOST_PREFIX} not shown: {self.why}"
        shown = as_text(self.data)
        return shown if self.level is Staleness.FRESH else f"{GHOST_PREFIX} {self.why}\n{shown}"


@dataclass(frozen=True, slots=True)
class SnapshotInfo(Record):
    """That there is a snapshot of an agent: its file, when it was written, and its bytes."""

    agent: str
    file: str
    written_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GhostOverview(Record):
    """How one ghost stands: what it keeps, how old, how stable the live answers were, and what was wrong."""

    path: str
    stability: Stability
    threshold_s: float
    last_sync: datetime | None
    entries: tuple[GhostReading, ...]
    pheromones: Mapping[str, float]
    pending: int
    rejected: int
    set_aside: tuple[str, ...]
    problems: tuple[GhostProblem, ...]


def as_text(data: Any, *, indent: int | None = None) -> str:
    """The words of an entry: its `text` if it has one, otherwise all of it as JSON, indented by so many spaces.

    >>> as_text({"text": "three crystals", "count": 3}), as_text([1, 2])
    ('three crystals', '[1, 2]')
    """
    if isinstance(data, str):
        return data
    if isinstance(data, Mapping) and isinstance(data.get("text"), str):
        return str(data["text"])
    return json.dumps(data, ensure_ascii=False, default=str, indent=indent)
