"""How reliably the live answer was had of late: the share of the last calls that succeeded.

A call counts when it tried for a live answer: a success when it came, a failure when the store or a link could not be
reached. A call with wrong arguments says nothing about either and does not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from chrysalis_memory.ghost.limits import CALLS_REMEMBERED
from chrysalis_memory.records import Record

__all__ = ["Stability"]

_RECENT: Final = re.compile(f"[01]{{0,{CALLS_REMEMBERED}}}")


@dataclass(frozen=True, slots=True)
class Stability(Record):
    """The last calls, oldest first: `1` for each that succeeded, `0` for each that failed; at most 100 of them.

    >>> Stability("").and_then(True).and_then(True).and_then(False).score
    0.6666666666666666
    """

    recent: str = ""

    @property
    def calls(self) -> int:
        """How many calls the score is measured on."""
        return len(self.recent)

    @property
    def succeeded(self) -> int:
        """How many of them succeeded."""
        return self.recent.count("1")

    @property
    def score(self) -> float:
        """From 0 to 1; 0 before anything was measured, since nothing speaks for a longer threshold yet."""
        return self.succeeded / self.calls if self.recent else 0.0

    def and_then(self, succeeded: bool) -> Stability:
        """The record with one more call; beyond 100 the oldest falls out."""
        return Stability((self.recent + ("1" if succeeded else "0"))[-CALLS_REMEMBERED:])

    def to_dict(self) -> dict[str, Any]:
        """As it is stored: the score, and what it was measured on."""
        return {"score": self.score, "calls": self.calls, "succeeded": self.succeeded, "recent": self.recent}

    @classmethod
    def from_dict(cls, data: Any) -> Stability:
        """From what was stored; only the calls are believed, the score follows from them. Raises `ValueError`."""
        recent = data.get("recent") if isinstance(data, dict) else None
        if not isinstance(recent, str) or not _RECENT.fullmatch(recent):
            raise ValueError("it is no record of calls")
        return cls(recent)
