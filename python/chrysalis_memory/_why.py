"""Why a memory was found, in words a person understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["missing", "why"]


def why(evidence: Mapping[str, Any]) -> str:
    """What spoke for a hit, in the order of its weight for a reader: words, meaning, who, when, and what is around it.

    >>> nothing = {"words": (), "nearby": (), "times": (), "cosine": None, "parts": {}}
    >>> why(nothing | {"words": ["kiln", "door"]})
    'words: kiln, door'
    >>> why(nothing | {"words": ["kiln"], "nearby": ["glaze"], "cosine": 0.831, "parts": {"speaker": 0.3}})
    'words: kiln; beside it: glaze; meaning: 0.83; said by whom you named'
    """
    parts: Mapping[str, float] = evidence["parts"]
    reasons = [
        f"words: {', '.join(evidence['words'])}" if evidence["words"] else "",
        f"beside it: {', '.join(evidence['nearby'])}" if evidence["nearby"] else "",
        f"meaning: {evidence['cosine']:.2f}" if evidence["cosine"] is not None else "",
        "said by whom you named" if parts.get("speaker") else "",
        f"time: {', '.join(map(_time, evidence['times']))}" if evidence["times"] else "",
        "follows a question that fits" if parts.get("answering") else "",
        "in a thread that fits" if parts.get("thread") else "",
    ]
    return "; ".join(reason for reason in reasons if reason)


def _time(described: str) -> str:
    """The words of the question, and in brackets the days that were read from them."""
    said, colon, read = described.partition(": ")
    return f"{said} ({read})" if colon else said


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
