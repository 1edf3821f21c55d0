"""Vectors alone, compared with every one; and fused with words by rank."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.quality.collection import Item, Question
from benchmarks.quality.system import Missing
from benchmarks.quality.words import Words

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["Fused", "Nearest", "needed"]

# Cormack, Clarke and Büttcher, Reciprocal Rank Fusion, 2009: their constant, and the depth to which lists are read.
_RANK_CONSTANT = 60
_DEPTH = 100


def needed(embedder: SharedEmbedder | None) -> SharedEmbedder:
    """The embedder; raises `Missing` where there is none."""
    if embedder is None:
        raise Missing("needs an embedder")
    return embedder


class Nearest:
    """The greatest cosines, exactly."""

    def __init__(self, folder: Path, embedder: SharedEmbedder | None) -> None:
        del folder
        self._embedder = needed(embedder)
        self._ids: list[str] = []
        self._rows: Any = None

    def add_many(self, items: Sequence[Item]) -> None:
        """One vector for each, of its whole text as the model reads it."""
        self._ids = [item.id for item in items]
        self._rows = self._embedder.matrix([item.text for item in items])

    def search(self, question: Question, k: int) -> list[str]:
        """Every vector is compared."""
        import numpy

        scores = self._rows @ self._embedder.matrix([question.text])[0]
        return [self._ids[place] for place in numpy.argsort(-scores, kind="stable")[:k]]

    def close(self) -> None:
        """Nothing is open."""


class Fused:
    """Reciprocal rank fusion of FTS5 and vectors."""

    def __init__(self, folder: Path, embedder: SharedEmbedder | None) -> None:
        self._parts = (Words(folder, embedder), Nearest(folder, embedder))

    def add_many(self, items: Sequence[Item]) -> None:
        """Both parts take all."""
        for part in self._parts:
            part.add_many(items)

    def search(self, question: Question, k: int) -> list[str]:
        """Each list gives a memory one over its rank and the constant."""
        scores: dict[str, float] = {}
        for part in self._parts:
            for rank, found in enumerate(part.search(question, _DEPTH), 1):
                scores[found] = scores.get(found, 0.0) + 1 / (_RANK_CONSTANT + rank)
        return sorted(scores, key=lambda one: -scores[one])[:k]

    def close(self) -> None:
        """Closes both."""
        for part in self._parts:
            part.close()
