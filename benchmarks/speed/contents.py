"""What the stores hold: the texts of the other benchmarks, said in threads, by speakers, on days."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from benchmarks import corpus

__all__ = ["BROAD", "SELECTIVE", "records"]

_TURNS = 40
_SPEAKERS = tuple(f"speaker-{number}" for number in range(12))
_SCOPES = 500
_FIRST_DAY = 1_735_689_600
_TYPES = ("semantic", "episodic")

SELECTIVE = {"scope": "team-7"}
"""A filter that one memory of five hundred passes."""
BROAD = {"memory_type": "semantic"}
"""A filter that every other memory passes."""


def records(start: int, count: int) -> Iterator[dict[str, Any]]:
    """Records for `remember_many`, from number `start` on: forty turns a thread, a thread an hour."""
    chance = random.Random(start)
    for number, text in enumerate(corpus.contents(count, seed=start + 1), start):
        thread = number // _TURNS
        yield {
            "id": f"m-{number:08}",
            "content": text,
            "memory_type": _TYPES[number % 2],
            "scope": f"team-{chance.randrange(_SCOPES)}",
            "thread": f"thread-{thread:06}",
            "speaker": _SPEAKERS[chance.randrange(len(_SPEAKERS))],
            "occurred_at": _FIRST_DAY + thread * 3_600 + number % _TURNS * 60,
            "importance": 0.6,
            "tags": [f"tag-{chance.randrange(100)}"],
        }
