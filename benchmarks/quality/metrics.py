"""The figures of one question, and their means.

Recall at k is the share of the relevant memories among the first k; hit at 10 says whether any is among the first ten;
MRR is one over the rank of the first; nDCG at 10 discounts by the logarithm of the rank. For sessions the same question
is asked of threads: each ranks where its best memory ranks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["DEPTHS", "FIGURES", "means", "score"]

DEPTHS = (5, 10, 20, 50)
_SESSION_DEPTHS = (5, 10)
_TOP = 10

_SESSION_FIGURES = tuple(f"sR@{depth}" for depth in _SESSION_DEPTHS)
FIGURES = (*(f"R@{depth}" for depth in DEPTHS), "hit@10", "MRR", "nDCG@10", *_SESSION_FIGURES)
"""The names of all figures, in the order of the tables."""


def score(ranked: Sequence[str], relevant: Iterable[str], thread_of: Mapping[str, str | None]) -> dict[str, float]:
    """Every figure of one question with at least one relevant memory."""
    wanted = set(relevant)
    found = _first_sights(ranked, wanted)
    scores = {f"R@{depth}": sum(found[:depth]) / len(wanted) for depth in DEPTHS}
    scores["hit@10"] = float(any(found[:_TOP]))
    scores["MRR"] = next((1 / rank for rank, hit in enumerate(found, 1) if hit), 0.0)
    scores["nDCG@10"] = _gain(found[:_TOP]) / _gain([True] * min(_TOP, len(wanted)))
    return scores | _of_sessions(ranked, wanted, thread_of)


def _first_sights(ranked: Sequence[str], wanted: set[str]) -> list[bool]:
    """For each rank whether it holds a relevant memory that no rank before it held."""
    left = set(wanted)
    found = []
    for candidate in ranked:
        found.append(candidate in left)
        left.discard(candidate)
    return found


def _gain(found: Sequence[bool]) -> float:
    return sum(hit / math.log2(rank + 1) for rank, hit in enumerate(found, 1))


def _of_sessions(ranked: Sequence[str], wanted: set[str], thread_of: Mapping[str, str | None]) -> dict[str, float]:
    order = list(dict.fromkeys(thread_of[one] for one in ranked if one in thread_of))
    sessions = {thread_of[one] for one in wanted}
    return {f"sR@{depth}": len(sessions & set(order[:depth])) / len(sessions) for depth in _SESSION_DEPTHS}


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every figure; empty for no rows."""
    return {name: sum(row[name] for row in rows) / len(rows) for name in FIGURES} if rows else {}
