"""Why a memory was found, in words a person understands."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["missing", "why"]


def why(text: float | None, vector: float | None, cosine: float | None, words: Sequence[str]) -> str:
    """What spoke for a hit: the words of the question that stand in it, and how near its meaning is.

    >>> why(1.0, None, None, ["kiln", "door"])
    'words: kiln, door'
    >>> why(0.4, 0.9, 0.83, [])
    'other forms of the words; meaning: 0.83'
    """
    reasons = []
    if text is not None:
        reasons.append(f"words: {', '.join(words)}" if words else "other forms of the words")
    if vector is not None and cosine is not None:
        reasons.append(f"meaning: {cosine:.2f}")
    return "; ".join(reasons)


def missing(without_vector: int, changed_since: int, batch_unseen: bool) -> list[str]:
    """What an answer could not take into account."""
    reasons = []
    if without_vector:
        reasons.append(f"{without_vector} memories have no vector yet: found by words alone")
    if changed_since:
        reasons.append(f"{changed_since} memories have changed since that time: found by words alone")
    if batch_unseen:
        reasons.append("the open batch is not searched before it is committed")
    return reasons
