"""Chrysalis Memory as other harnesses call a store: `add`, `search`, and what may go with them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.quality import embeddings
from benchmarks.quality.collection import Item, Question
from benchmarks.quality.ours import Ours

__all__ = ["Adapter"]

_embedders: dict[str, embeddings.SharedEmbedder | None] = {}


class Adapter:
    """One store. `embedder` is a name as `--embedder` takes it, `mode` a mode of `recall`.

    Metadata that are used when they are there: `conversation` and `session` (together the thread), `speaker`, and
    `session_date` (ISO 8601).
    """

    def __init__(self, embedder: str = "local", mode: str = "hybrid") -> None:
        if embedder not in _embedders:
            _embedders[embedder] = embeddings.make(embedder)
        self._embedder = _embedders[embedder]
        self._began = self._embedder.seconds if self._embedder else 0.0
        self._folder = tempfile.TemporaryDirectory(prefix="chrysalis-recall-", ignore_cleanup_errors=True)
        self._ours = Ours(Path(self._folder.name), self._embedder, mode=mode)
        self._waiting: list[Item] = []

    @property
    def embed_seconds(self) -> float:
        """Seconds spent embedding so far."""
        return self._embedder.seconds - self._began if self._embedder else 0.0

    def warm(self) -> None:
        """Loads the model."""
        if self._embedder is not None:
            self._embedder.embed(["warm"])

    def add(self, id: str, text: str, metadata: Mapping[str, Any]) -> None:
        """One memory; it is written with those that follow it."""
        self._waiting.append(_item(id, text, metadata))

    def add_many(self, items: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Many memories in one call."""
        self._waiting.extend(_item(*one) for one in items)

    def flush(self) -> None:
        """Writes, indexes and embeds what was added."""
        waiting, self._waiting = self._waiting, []
        self._ours.add_many(waiting)

    def search(self, query: str, k: int) -> list[str]:
        """The ids of at most `k` memories, best first."""
        if self._waiting:
            self.flush()
        return self._ours.search(Question("", query, (), ""), k)

    def close(self) -> None:
        """Closes the store and removes it."""
        self._ours.close()
        self._folder.cleanup()


def _item(id: str, text: str, metadata: Mapping[str, Any]) -> Item:
    session, conversation = metadata.get("session"), metadata.get("conversation")
    thread = None if session is None else str(session) if conversation is None else f"{conversation}/{session}"
    return Item(id, text, thread, metadata.get("speaker"), _instant(metadata.get("session_date")))


def _instant(told: Any) -> str | None:
    """The date, if it is one: data sets have slips, and a memory without a date is still a memory."""
    try:
        return datetime.fromisoformat(told).isoformat()
    except (TypeError, ValueError):
        return None
