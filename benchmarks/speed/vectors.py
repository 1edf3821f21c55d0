"""Vectors by the million with the structure of real ones.

Real sentences are embedded. A new vector lies between one of them and one of its nearest neighbours, and is then moved
along the directions in which such neighbours differ, as far as they differ along each: so neighbourhoods, their
density and their dimension stay those of the model. On Gaussian noise, where all are equally far apart, every
approximate index fails and nothing is learnt. Questions are sentences that no vector was made from.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

__all__ = ["SentenceVectors", "prepare"]

_NEIGHBOURS = 12
_STEP_MAX = 0.6
_MOVE = 0.35
_ROWS_AT_ONCE = 512


class SentenceVectors:
    """An embedder whose vectors follow from the text alone: the same text has the same vector in every process."""

    name = "benchmark-sentences"

    def __init__(self, path: Path) -> None:
        import numpy

        self._numpy = numpy
        self._path = path
        with numpy.load(path) as kept:
            self._base, self._near, self._moves = kept["base"], kept["near"], kept["moves"]
        self._kept: dict[str, list[float]] = {}

    @property
    def path(self) -> Path:
        """Where another process finds the same."""
        return self._path

    @property
    def dimensions(self) -> int:
        """How long a vector is."""
        return int(self._base.shape[1])

    def matrix(self, texts: Sequence[str]) -> Any:
        """A row of length 1 for each text."""
        numpy = self._numpy
        seeds = numpy.array([_seed(text) for text in texts], numpy.uint64)
        first = (seeds % len(self._base)).astype(numpy.int64)
        second = self._near[first, ((seeds >> numpy.uint64(20)) % _NEIGHBOURS).astype(numpy.int64)]
        share = ((seeds >> numpy.uint64(32)) % 1024).astype(numpy.float32)[:, None] / 1024 * _STEP_MAX
        rows = self._base[first] * (1 - share) + self._base[second] * share
        rows = rows + _MOVE * self._drawn(seeds) @ self._moves
        return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)

    def _drawn(self, seeds: Any) -> Any:
        numpy = self._numpy
        drawn = numpy.empty((len(seeds), len(self._moves)), numpy.float32)
        for place, seed in enumerate(seeds):
            chance = numpy.random.Generator(numpy.random.SFC64(int(seed)))
            chance.standard_normal(out=drawn[place], dtype=numpy.float32)
        return drawn

    def keep(self, texts: Sequence[str], vectors: Any) -> None:
        """Gives these texts these vectors, so that a question's vector is in hand."""
        self._kept.update(zip(texts, vectors.tolist(), strict=True))

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """As `chrysalis_memory.embedding.Embedder` has it."""
        if len(texts) == 1 and texts[0] in self._kept:
            return [self._kept[texts[0]]]
        made: list[list[float]] = []
        for start in range(0, len(texts), _ROWS_AT_ONCE):
            made.extend(self.matrix(texts[start : start + _ROWS_AT_ONCE]).tolist())
        return made


def _seed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def prepare(real: Any, path: Path) -> SentenceVectors:
    """Learns from the vectors of real sentences, one a row, and keeps what is needed at `path`."""
    import numpy

    base = real / numpy.linalg.norm(real, axis=1, keepdims=True)
    near = _nearest(base)
    apart = (base[:, None, :] - base[near]).reshape(-1, base.shape[1]) / numpy.sqrt(2)
    # The principal directions of these differences, each as long as neighbours differ along it.
    spread, directions = numpy.linalg.eigh(apart.T @ apart / len(apart))
    moves = directions.T * numpy.sqrt(numpy.maximum(spread, 0))[:, None]
    numpy.savez(path, base=base, near=near, moves=moves.astype(numpy.float32))
    return SentenceVectors(path)


def _nearest(base: Any) -> Any:
    import numpy

    near = numpy.empty((len(base), _NEIGHBOURS), numpy.int64)
    for start in range(0, len(base), _ROWS_AT_ONCE):
        cosines = base[start : start + _ROWS_AT_ONCE] @ base.T
        # The greatest of all is the vector itself.
        nearest = numpy.argpartition(-cosines, _NEIGHBOURS + 1, axis=1)[:, : _NEIGHBOURS + 1]
        order = numpy.argsort(-numpy.take_along_axis(cosines, nearest, axis=1), axis=1)
        near[start : start + _ROWS_AT_ONCE] = numpy.take_along_axis(nearest, order, axis=1)[:, 1:]
    return near
