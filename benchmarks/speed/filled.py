"""A store of one size, with every vector, and the thinnest programs over the same data."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.raw import RawStore
from benchmarks.speed.contents import records
from benchmarks.speed.vectors import SentenceVectors
from chrysalis_memory import ChrysalisMemory

__all__ = ["Filled", "fill", "questions"]

_BATCH = 1_000
_K = 10

# Above this the vectors as floats would take more memory than the machine that this is meant for has to spare.
_EXACT_MAX = 200_000


@dataclass
class Filled:
    """Ours and the yardsticks, filled with the same."""

    size: int
    memory: ChrysalisMemory
    embedder: SentenceVectors
    raw: RawStore
    index: Any
    matrix: Any
    """Every vector as a row; None where they are too many."""
    rates: dict[str, float] = field(default_factory=dict)
    """Memories a second: written, and with their vectors."""

    def by_words(self, text: str) -> object:
        """FTS5, all words, best ten by bm25."""
        return self.raw.search(text, _K)

    def by_index(self, text: str) -> object:
        """The ten nearest by usearch."""
        return self.index.search(self._vector(text), _K)

    def exactly(self, text: str) -> list[int]:
        """The ten nearest by comparing with all."""
        import numpy

        scores = self.matrix @ self._vector(text)
        nearest = numpy.argpartition(scores, -_K)[-_K:]
        found: list[int] = nearest[numpy.argsort(-scores[nearest])].tolist()
        return found

    def _vector(self, text: str) -> Any:
        import numpy

        return numpy.asarray(self.embedder.embed([text])[0], numpy.float32)

    def close(self) -> None:
        """Closes everything."""
        self.memory.close()
        self.raw.close()


def fill(folder: Path, size: int, embedder: SentenceVectors, say: Callable[[str], None]) -> Filled:
    """Fills a store of this size in an empty folder."""
    import numpy

    memory = ChrysalisMemory(folder / "store", agent_id="bench", embedder="none")
    raw = RawStore(folder / "raw.db", words=True, synchronous="OFF")
    index, rows, spent = _new_index(embedder.dimensions), [], 0.0
    for start in range(0, size, _BATCH):
        part = list(records(start, min(_BATCH, size - start)))
        began = time.perf_counter()
        memory.remember_many(part)
        spent += time.perf_counter() - began
        raw.put(raw.rows(part, now_ms=1_735_689_600_000))
        vectors = embedder.matrix([record["content"] for record in part])
        if index is not None:
            index.add(numpy.arange(start, start + len(part)), vectors)
        if size <= _EXACT_MAX:
            rows.append(vectors)
    memory.close()
    say(f"{size:,}: written, vectors follow")
    memory = ChrysalisMemory(folder / "store", agent_id="bench", embedder=embedder)
    began = time.perf_counter()
    memory.flush()
    rates = {"written": size / spent, "with_vectors": size / (time.perf_counter() - began)}
    return Filled(size, memory, embedder, raw, index, _joined(rows), rates)


def _new_index(dimensions: int) -> Any:
    """usearch's own index, in 8 bits; None where usearch is not installed."""
    try:
        from usearch.index import Index
    except ImportError:
        return None
    return Index(ndim=dimensions, metric="cos", dtype="i8")


def _joined(rows: list[Any]) -> Any:
    import numpy

    return numpy.concatenate(rows) if rows else None


def questions(filled: Filled, vectors: Any) -> list[str]:
    """As many questions as there are vectors: eight words each, six of them from one memory, and the vector in hand."""
    chance = random.Random(5)
    common = corpus.queries(len(vectors), words=2, seed=6)
    asked = []
    for two in common:
        start = chance.randrange(0, filled.size, _BATCH)
        said = next(records(start, 1))["content"].split()
        asked.append(" ".join([*chance.sample(said, 6), two]))
    filled.embedder.keep(asked, vectors)
    return asked
