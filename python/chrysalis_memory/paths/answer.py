"""What a path answers with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chrysalis_memory.ghost.staleness import GHOST_PREFIX, Staleness, in_words
from chrysalis_memory.records import Record

__all__ = ["PathAnswer"]


@dataclass(frozen=True, slots=True)
class PathAnswer(Record):
    """The answer of a path, and whether it is live or the last known one.

    `age_s` counts from when the answer was live; it is 0 for a live one, and may be below 0 if a clock was set back.
    `why` says why a ghost stands here. `warnings` are what went wrong beside the answer, such as a ghost that could not
    be written.
    """

    path: str
    value: Any
    words: str
    at: datetime
    is_ghost: bool = False
    age_s: float = 0.0
    level: Staleness = Staleness.FRESH
    why: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The answer as people read it; that of a ghost begins with `[GHOST]`, its age and why it is shown.

        >>> from chrysalis_memory.records import from_ms
        >>> PathAnswer("self.memory.manifest", {}, "59 memories", from_ms(0)).text
        '59 memories'
        >>> print(PathAnswer("self.memory.manifest", {}, "59 memories", from_ms(0), True, 90.0, why="locked").text)
        [GHOST] 1 minute old: locked
        59 memories
        """
        if not self.is_ghost:
            return self.words
        age = f"{in_words(self.age_s)} old" if self.age_s >= 0 else "from the future"
        return f"{GHOST_PREFIX} {age}{f': {self.why}' if self.why else ''}\n{self.words}"
