"""Chrysalis Memory, through nothing but its public API."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.quality.collection import Item, Question
from chrysalis_memory import ChrysalisMemory, Config

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["ACCEPTED", "Ours"]

_BATCH = 500

# Data sets hold messages of several hundred kilobytes, where the usual bound on one call is 64 KiB.
_CONFIG = Config(payload_bytes_max=1_000_000)
ACCEPTED = frozenset(inspect.signature(ChrysalisMemory.recall).parameters)
"""What `recall` can be told."""


class Ours:
    """A store with the settings that everybody gets, but for the bound on the length of a memory."""

    def __init__(self, folder: Path, embedder: SharedEmbedder | None, *, mode: str = "hybrid") -> None:
        self.memory = ChrysalisMemory(folder / "store", agent_id="bench", embedder=embedder or "none", config=_CONFIG)
        self._mode: Any = mode if embedder is not None else "text"

    def add_many(self, items: Sequence[Item]) -> None:
        """Remembers all, and waits for their words and vectors."""
        for start in range(0, len(items), _BATCH):
            self.memory.remember_many([_record(item) for item in items[start : start + _BATCH]])
        self.memory.flush()

    def search(self, question: Question, k: int) -> list[str]:
        """The ids that recall gives."""
        return [hit for hit, _ in self.scored(question, k)]

    def scored(self, question: Question, k: int, **more: Any) -> list[tuple[str, float]]:
        """Ids with their scores; `more` goes to `recall` as it is."""
        if question.asked_at is not None and "reference_time" in ACCEPTED:
            more["reference_time"] = question.asked_at
        return [(hit.memory.id, hit.score) for hit in self.memory.recall(question.text, k=k, mode=self._mode, **more)]

    def close(self) -> None:
        """Closes the store."""
        self.memory.close()


def _record(item: Item) -> dict[str, Any]:
    told = {"thread": item.thread, "speaker": item.speaker, "occurred_at": item.occurred_at}
    given = {name: value for name, value in told.items() if value}
    return {"id": item.id, "content": item.text, **given, **item.more}
