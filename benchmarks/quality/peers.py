"""Other stores of memories, with the same embeddings, as their documents show them; telemetry off.

They are no dependency of anything here: each is imported when it is measured, and left out where it is not installed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.quality.collection import Item, Question
from benchmarks.quality.nearest import needed
from benchmarks.quality.system import Missing

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["Chroma", "LangGraph", "Mem0"]

_BATCH = 1_000


class Chroma:
    """A persistent collection of Chroma, compared by cosine."""

    def __init__(self, folder: Path, embedder: SharedEmbedder | None) -> None:
        self._embedder = needed(embedder)
        try:
            import chromadb
            from chromadb.config import Settings
        except ImportError:
            raise Missing("chromadb is not installed") from None
        client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
        self._items = client.create_collection("items", embedding_function=None, metadata={"hnsw:space": "cosine"})

    def add_many(self, items: Sequence[Item]) -> None:
        """Text and vector, in batches."""
        for start in range(0, len(items), _BATCH):
            part = items[start : start + _BATCH]
            texts = [item.text for item in part]
            self._items.add(ids=[item.id for item in part], documents=texts, embeddings=self._embedder.embed(texts))

    def search(self, question: Question, k: int) -> list[str]:
        """The nearest by its own index."""
        found = self._items.query(query_embeddings=self._embedder.embed([question.text]), n_results=k, include=[])
        return list(found["ids"][0])

    def close(self) -> None:
        """Chroma closes with its process."""


class LangGraph:
    """LangGraph's store in memory, with an index over the text."""

    def __init__(self, folder: Path, embedder: SharedEmbedder | None) -> None:
        del folder
        shared = needed(embedder)
        try:
            from langgraph.store.memory import InMemoryStore
        except ImportError:
            raise Missing("langgraph is not installed") from None
        self._shared = shared
        index: Any = {"dims": shared.dimensions, "embed": shared.embed, "fields": ["text"]}
        self._store = InMemoryStore(index=index)

    def add_many(self, items: Sequence[Item]) -> None:
        """One call for each: a batch must not hold the same text twice."""
        self._shared.embed([item.text for item in items])
        for item in items:
            self._store.put(("items",), item.id, {"text": item.text})

    def search(self, question: Question, k: int) -> list[str]:
        """Its own search, by the question."""
        return [found.key for found in self._store.search(("items",), query=question.text, limit=k)]

    def close(self) -> None:
        """Nothing is open."""


class _ForMem0:
    """An embedder as mem0 calls it."""

    def __init__(self, embedder: SharedEmbedder) -> None:
        self._embedder = embedder

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        """One vector."""
        del memory_action
        return self._embedder.embed([text])[0]

    def embed_batch(self, texts: Sequence[str], memory_action: str | None = None) -> list[list[float]]:
        """A vector for each."""
        del memory_action
        return self._embedder.embed(texts)


class Mem0:
    """mem0 with `infer=False`, which keeps words as they are said, over its local Qdrant.

    Its constructor wants a language model and an embedder of its own. Both are set to a server on this machine, which
    mem0 accepts without a key and which nothing ever calls: with `infer=False` no model is asked, and the embedder is
    replaced by ours before the first memory. Its keyword search needs a model from the network, so that it is left out.
    """

    def __init__(self, folder: Path, embedder: SharedEmbedder | None) -> None:
        shared = needed(embedder)
        os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(folder / "home"))
        try:
            from mem0 import Memory
        except ImportError:
            raise Missing("mem0ai is not installed") from None
        logging.getLogger("mem0").setLevel(logging.CRITICAL)
        self._memory: Any = Memory.from_config(_mem0_settings(folder, shared.dimensions))
        self._memory.embedding_model = _ForMem0(shared)
        self._shared = shared

    def add_many(self, items: Sequence[Item]) -> None:
        """One call for each, as there is no other way to keep their ids."""
        self._shared.embed([item.text for item in items])
        for item in items:
            self._memory.add(item.text, user_id="bench", infer=False, metadata={"item": item.id})

    def search(self, question: Question, k: int) -> list[str]:
        """Its own search, without its threshold."""
        found = self._memory.search(question.text, top_k=k, filters={"user_id": "bench"}, threshold=0.0)
        return [one["metadata"]["item"] for one in found["results"]]

    def close(self) -> None:
        """Closes its databases."""
        self._memory.close()


def _mem0_settings(folder: Path, dimensions: int) -> dict[str, Any]:
    store = {"path": str(folder / "qdrant"), "embedding_model_dims": dimensions, "on_disk": True}
    return {
        "vector_store": {"provider": "qdrant", "config": store},
        "embedder": {"provider": "lmstudio", "config": {"embedding_dims": dimensions}},
        "llm": {"provider": "lmstudio", "config": {}},
        "history_db_path": str(folder / "history.db"),
    }
