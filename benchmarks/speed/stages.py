"""Where the time of a recall goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.speed.figures import timed
from benchmarks.speed.filled import Filled

__all__ = ["stages"]

_CALLS = 100


def stages(filled: Filled, asked: Sequence[str], embed: Callable[[str], object] | None) -> dict[str, float]:
    """Seconds of each stage at the median.

    Where a recall tells its stages, these are they; else they are measured from outside, by asking for less: words
    alone, vectors alone, both, and reading ten memories by id.
    """
    told = {} if embed is None else {"embedding the question": median(timed(embed, asked, _CALLS))}
    memory: Any = filled.memory
    runs = [getattr(memory.recall(text, k=10), "stages", {}) for text in asked[:_CALLS]]
    return told | (_from_inside(runs) if any(runs) else _from_outside(filled, asked))


def _from_inside(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: median(run.get(name, 0.0) for run in runs) for name in names}


def _from_outside(filled: Filled, asked: Sequence[str]) -> dict[str, float]:
    memory: Any = filled.memory
    found = {text: [hit.memory.id for hit in memory.recall(text, k=10)] for text in asked}
    calls = {
        "words alone": lambda text: memory.recall(text, k=10, mode="text"),
        "vectors alone": lambda text: memory.recall(text, k=10, mode="vector"),
        "both, fused": lambda text: memory.recall(text, k=10),
        "reading ten memories": lambda text: memory.get_many(found[text]),
    }
    return {name: median(timed(call, asked, _CALLS)) for name, call in calls.items()}
