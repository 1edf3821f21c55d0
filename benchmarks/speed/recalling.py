"""Ten hits by mode and filter, beside the thinnest program that does that part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

from benchmarks.speed.contents import BROAD, SELECTIVE
from benchmarks.speed.figures import quantiles, timed
from benchmarks.speed.filled import Filled
from benchmarks.timing import Race, race

__all__ = ["agreement", "recalls"]

_K = 10
_PATIENCE_S = 20.0
_FILTERS: dict[str, dict[str, Any]] = {"none": {}, "selective": SELECTIVE, "broad": BROAD}
_MODES = ("text", "vector", "hybrid")


def recalls(filled: Filled, asked: Sequence[str], rounds: int, calls: int) -> dict[str, Any]:
    """Times of each mode without a filter, in turns with its yardstick, and with a selective and a broad filter."""
    rows, yardsticks = [], {}
    for mode in _MODES:
        name, yardstick = _yardstick(filled, mode)
        raced = _race(filled, mode, yardstick, asked, rounds, calls)
        for named, said in _FILTERS.items():
            rows.append({"mode": mode, "filter": named, **quantiles(_filtered(filled, mode, said, asked, calls))})
            if named == "none":
                rows[-1] |= {"beside": name, "ratio": raced.ratio}
        yardsticks[name] = _three(raced.yardstick)
    return {"recall": rows, "yardsticks": yardsticks | _exact(filled, asked, calls)}


def _yardstick(filled: Filled, mode: str) -> tuple[str, Callable[[str], object]]:
    words, vectors = ("FTS5, all words", filled.by_words), ("usearch, i8", filled.by_index)
    if filled.index is None:
        vectors = ("numpy, exact", filled.exactly)
    if mode == "text":
        return words
    if mode == "vector":
        return vectors
    return f"{words[0]} + {vectors[0]}", lambda text: (words[1](text), vectors[1](text))


def _race(
    filled: Filled, mode: Any, yardstick: Callable[[str], object], asked: Sequence[str], rounds: int, calls: int
) -> Race:
    """In turns, for as many calls as a slow yardstick's time allows."""
    slow = max(timed(yardstick, asked, 3))
    each = max(min(calls, int(_PATIENCE_S / slow)) // rounds, 2)
    mine, other = cycle(asked), cycle(asked)
    return race(
        lambda: filled.memory.recall(next(mine), k=_K, mode=mode),
        lambda: yardstick(next(other)),
        rounds=rounds,
        calls=each,
    )


def _three(timing: Any) -> dict[str, float]:
    return {"p50": timing.p50, "p95": timing.quantile(0.95), "p99": timing.p99}


def _filtered(filled: Filled, mode: Any, said: dict[str, Any], asked: Sequence[str], calls: int) -> list[float]:
    return timed(lambda text: filled.memory.recall(text, k=_K, mode=mode, **said), asked, calls)


def _exact(filled: Filled, asked: Sequence[str], calls: int) -> dict[str, dict[str, float]]:
    if filled.matrix is None or filled.index is None:
        return {}
    return {"numpy, exact": quantiles(timed(filled.exactly, asked, min(calls, 100)))}


def agreement(filled: Filled, asked: Sequence[str]) -> float | None:
    """The share of the ten truly nearest that recall by vector gives; None where comparing with all takes too much."""
    if filled.matrix is None:
        return None
    shared = 0
    for text in asked:
        mine = {hit.memory.id for hit in filled.memory.recall(text, k=_K, mode="vector")}
        shared += len(mine & {f"m-{number:08}" for number in filled.exactly(text)})
    return shared / (_K * len(asked))
