"""What measurements share: a folder, sizes, and stores that are filled once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import corpus
from benchmarks.raw import RawStore
from chrysalis_memory import ChrysalisMemory

if TYPE_CHECKING:
    from benchmarks.corpus import TopicEmbedder

__all__ = ["Filled", "Ground"]

_BATCH = 1_000


@dataclass
class Filled:
    """The same memories in a store of ours and in a raw one, and what to ask them."""

    memory: ChrysalisMemory
    raw: RawStore
    ids: list[str]
    contents: list[str]
    span: tuple[float, float]
    """When it was filled, in Unix seconds."""

    def close(self) -> None:
        """Closes both."""
        self.memory.close()
        self.raw.close()


@dataclass
class Ground:
    """One run's folder and sizes. With `quick`, everything is smaller and the large stores are left out."""

    folder: Path
    quick: bool = False
    say: Callable[[str], None] = print
    _filled: dict[int, Filled] = field(default_factory=dict)
    _embedder: TopicEmbedder | None = None

    @property
    def rounds(self) -> int:
        """How many rounds a race has."""
        return 3 if self.quick else 7

    @property
    def small(self) -> int:
        """Memories in the small store."""
        return 1_000 if self.quick else 10_000

    @property
    def sizes(self) -> tuple[int, ...]:
        """Memories in the stores that are searched."""
        return (1_000,) if self.quick else (10_000, 100_000)

    @property
    def large(self) -> int:
        """Memories in the largest store."""
        return self.sizes[-1]

    def new(self, name: str) -> Path:
        """A path in this run's folder that nobody has used."""
        taken = sum(1 for path in self.folder.iterdir() if path.name.startswith(name))
        return self.folder / f"{name}-{taken}"

    @property
    def embedder(self) -> TopicEmbedder:
        """The embedder of every store here."""
        if self._embedder is None:
            self._embedder = corpus.TopicEmbedder()
        return self._embedder

    def filled(self, size: int) -> Filled:
        """The pair of stores of this size, filled when first asked for."""
        if size not in self._filled:
            self.say(f"filling two stores with {size:,} memories")
            self._filled[size] = self._fill(size)
        return self._filled[size]

    def _fill(self, size: int) -> Filled:
        contents = corpus.contents(size, seed=size)
        records = corpus.records(contents, prefix=f"m{size}", seed=size)
        memory = ChrysalisMemory(self.new(f"filled-{size}"), agent_id="bench", embedder="none")
        raw = RawStore(self.new(f"raw-{size}.db"), words=True)
        began = time.time()
        for start in range(0, size, _BATCH):
            part: list[dict[str, Any]] = records[start : start + _BATCH]
            memory.remember_many(part)
            raw.put(raw.rows(part, now_ms=int(began * 1000)))
        memory.flush()
        ids = [record["id"] for record in records]
        return Filled(memory, raw, ids, contents, (began - 1, time.time() + 1))

    def close(self) -> None:
        """Closes every store."""
        for filled in self._filled.values():
            filled.close()
