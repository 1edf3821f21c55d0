"""Recall of ten: by words, by vectors, and by both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import corpus
from benchmarks.ground import Filled, Ground
from benchmarks.row import Row, time_of
from benchmarks.timing import race
from chrysalis_memory import ChrysalisMemory

__all__ = ["recall", "with_vectors"]

_K = 10
_GOALS = {1_000: 0.001, 10_000: 0.001, 100_000: 0.002}
_QUERIES = 200

_embedded: dict[tuple[int, int], ChrysalisMemory] = {}


def recall(ground: Ground) -> list[Row]:
    """Ten hits in stores of each size, in each mode."""
    return [row for size in ground.sizes for row in _of_size(ground, size)]


def with_vectors(ground: Ground, size: int) -> ChrysalisMemory:
    """The filled store of this size, opened with the embedder, every memory with its vector."""
    key = (id(ground), size)
    if key not in _embedded:
        filled = ground.filled(size)
        ground.say(f"embedding {size:,} memories")
        path = filled.memory.path
        filled.memory.close()
        filled.memory = ChrysalisMemory(path, agent_id="bench", embedder=ground.embedder)
        filled.memory.flush()
        _embedded[key] = filled.memory
    return _embedded[key]


def _of_size(ground: Ground, size: int) -> list[Row]:
    filled = ground.filled(size)
    asked = corpus.queries(_QUERIES)
    rows = [_by_words(ground, filled, size, asked)]
    memory = with_vectors(ground, size)
    # Questions near to what is there, as real ones are; their vectors are in hand.
    ground.embedder.keep(asked)
    exact = _exact(ground, filled)
    rows.append(_row(ground, size, "vectors", memory, asked, exact, "numpy, exact"))

    def both(query: str) -> None:
        filled.raw.search(query, _K)
        exact(query)

    rows.append(_row(ground, size, "hybrid", memory, asked, both, "raw FTS5 and numpy"))
    return rows


def _by_words(ground: Ground, filled: Filled, size: int, asked: list[str]) -> Row:
    shared = sum(_agreement(filled, query) for query in asked[:40]) / 40
    note = f"{shared:.0%} of its ten are raw's too"
    against = "raw FTS5, OR, bm25"
    return _row(ground, size, "text", filled.memory, asked, lambda query: filled.raw.search(query, _K), against, note)


def _agreement(filled: Filled, query: str) -> float:
    """The share of raw's ten that ours gives too: leaving common words aside is allowed to cost little."""
    mine = {hit.memory.id for hit in filled.memory.recall(query, k=_K, mode="text")}
    theirs = {row[1] for row in filled.raw.search(query, _K)}
    return len(mine & theirs) / len(theirs)


def _row(
    ground: Ground,
    size: int,
    mode: Any,
    memory: ChrysalisMemory,
    asked: list[str],
    yardstick: Callable[[str], object],
    against: str,
    note: str = "",
) -> Row:
    mine, other = _cycle(asked), _cycle(asked)
    kind = {"text": "text", "vectors": "vector"}.get(mode, mode)
    timed = race(
        lambda: memory.recall(mine(), k=_K, mode=kind),
        lambda: yardstick(other()),
        rounds=3 if ground.quick else 5,
        calls=10 if ground.quick else 60,
    )
    wanted = _GOALS[size]
    met = timed.ours.p50 <= wanted and timed.ours.p99 <= 4 * wanted
    goal = f"{wanted * 1e3:.0f} ms, p99 {wanted * 4e3:.0f} ms"
    what = f"recall 10 of {size:,}, {'words' if mode == 'text' else mode}"
    return Row(what, time_of(timed.ours), time_of(timed.yardstick), against, timed.ratio, goal, met, note)


def _cycle(asked: list[str]) -> Callable[[], str]:
    place = [0]

    def next_query() -> str:
        place[0] += 1
        return asked[place[0] % len(asked)]

    return next_query


def _exact(ground: Ground, filled: Filled) -> Callable[[str], object]:
    """The ten nearest by multiplying with every vector: what is fastest while they are few."""
    import numpy

    matrix = ground.embedder.matrix(filled.contents)

    def search(query: str) -> list[int]:
        vector = numpy.asarray(ground.embedder.embed([query])[0], numpy.float32)
        scores = matrix @ vector
        nearest = numpy.argpartition(scores, -_K)[-_K:]
        found: list[int] = nearest[numpy.argsort(-scores[nearest])].tolist()
        return found

    return search
