"""Where the time of a recall goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.speed.figures import timed
from benchmarks.speed.filled import Filled

__all__ = ["stages"]

_CALLS = 100
_PROFILE = "recall_stages"


def stages(filled: Filled, asked: Sequence[str], embed: Callable[[str], object] | None) -> dict[str, float]:
    """Seconds of each stage at the median.

    Where the store tells the stages of a recall itself, these are they; else they are measured from outside, by asking
    for less: words alone, vectors alone, both, and reading ten memories by id.
    """
    told = {} if embed is None else {"embedding the question": median(timed(embed, asked, _CALLS))}
    profile = getattr(filled.memory, _PROFILE, None)
    return told | (_from_outside(filled, asked) if profile is None else _from_inside(profile, asked))


def _from_inside(profile: Callable[..., Mapping[str, float]], asked: Sequence[str]) -> dict[str, float]:
    runs = [profile(text, k=10) for text in (asked * (_CALLS // len(asked) + 1))[:_CALLS]]
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
