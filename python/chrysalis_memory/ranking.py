"""Rankings: the order in which recall shows what it found."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Final, TypeAlias

from chrysalis_memory.records import Hit

__all__ = ["RANKINGS", "Ranking", "rank"]

Ranking: TypeAlias = "str | Callable[[Hit], float] | None"
"""The name of a ranking, or a function from a hit to its score (greater is better)."""

_MONTH_S = 30 * 24 * 3600.0


def _recent(hit: Hit) -> float:
    age_s = max(0.0, (datetime.now(timezone.utc) - hit.memory.created_at).total_seconds())
    return 0.5 * hit.score + 0.5 * math.pow(0.5, age_s / _MONTH_S)


def _important(hit: Hit) -> float:
    return 0.5 * hit.score + 0.5 * hit.memory.importance


def _collective(hit: Hit) -> float:
    used = min(hit.memory.access_count / 100, 1.0)
    return 0.5 * hit.score + 0.3 * hit.memory.confidence + 0.2 * used


RANKINGS: Final[Mapping[str, Callable[[Hit], float]]] = {
    "recent": _recent,
    "important": _important,
    "collective": _collective,
}
"""Rankings by name, besides `default`, which keeps the order in which words and vectors fit.

`recent` halves the share of age every 30 days; `important` weighs importance; `collective` is half similarity, three
tenths confidence and two tenths use (full at 100 uses).
"""


def rank(hits: list[Hit], ranking: Ranking, k: int) -> list[Hit]:
    """The best `k` hits by this ranking, best first, with the ranking's score."""
    if ranking is None or ranking == "default":
        return hits[:k]
    scorer = _scorer(ranking)
    scored = [replace(hit, score=_number(scorer(hit))) for hit in hits]
    return sorted(scored, key=lambda hit: hit.score, reverse=True)[:k]


def _scorer(ranking: str | Callable[[Hit], float]) -> Callable[[Hit], float]:
    if isinstance(ranking, str):
        if ranking not in RANKINGS:
            raise ValueError(f"ranking is {ranking!r}; it must be one of default, {', '.join(RANKINGS)}")
        return RANKINGS[ranking]
    if not callable(ranking):
        raise TypeError(f"ranking is a name or a function from hit to score, not {type(ranking).__name__}")
    return ranking


def _number(score: float) -> float:
    number = float(score)
    if math.isnan(number):
        # Comparing with it is always false, so the order would be arbitrary.
        raise ValueError("a ranking must return a number, not nan")
    return number


def is_default(ranking: Ranking) -> bool:
    """Whether hits need no second look."""
    return ranking is None or ranking == "default"
