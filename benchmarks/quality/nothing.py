"""Questions that nothing in memory answers: how often recall says so, and what that costs the others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.quality.collection import Collection, Question
from benchmarks.quality.measure import filled
from benchmarks.quality.ours import ACCEPTED, Ours
from benchmarks.quality.system import Kind

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["silence", "thresholds"]

_K = 10
_WITHOUT = "none"
_THRESHOLDS = (_WITHOUT, "lenient", "balanced", "strict")


@dataclass(frozen=True)
class _Asked:
    """One question under one threshold: what came back."""

    question: Question
    found: tuple[str, ...]
    best: float
    """The first hit's score; 0 where nothing came back."""

    @property
    def hit(self) -> bool:
        """Whether a relevant memory is among the ten."""
        return not set(self.question.relevant).isdisjoint(self.found)


def thresholds() -> tuple[str, ...]:
    """The names that `recall` takes as its threshold, weakest first; none where it takes no threshold."""
    return _THRESHOLDS if "threshold" in ACCEPTED else ()


def silence(
    kind: Kind, collection: Collection, embedder: SharedEmbedder | None, say: Callable[[str], None]
) -> dict[str, Any] | None:
    """How scores and thresholds part the questions with an answer from those without; None where all have one."""
    if all(question.answerable for one in collection.conversations for question in one.questions):
        return None
    say(f"{collection.name}: questions without an answer")
    asked: dict[str, list[_Asked]] = {name: [] for name in thresholds() or (_WITHOUT,)}
    for conversation in collection.conversations:
        with tempfile.TemporaryDirectory(prefix="chrysalis-recall-", ignore_cleanup_errors=True) as folder:
            system, _ = filled(kind, conversation, embedder, Path(folder))
            if not isinstance(system, Ours):
                raise TypeError(f"{kind.name} has no thresholds")
            for name, found in asked.items():
                found.extend(_ask(system, question, name) for question in conversation.questions if _counts(question))
            system.close()
    plain = asked.pop(_WITHOUT)
    return {
        "with_answer": sum(one.question.answerable for one in plain),
        "without_answer": sum(not one.question.answerable for one in plain),
        "told_apart": _told_apart(plain),
        "thresholds": {name: _under(plain, found) for name, found in asked.items()},
    }


def _counts(question: Question) -> bool:
    return not question.answerable or (question.main and bool(question.relevant))


def _ask(system: Ours, question: Question, threshold: str) -> _Asked:
    more = {"threshold": threshold} if "threshold" in ACCEPTED else {}
    hits = system.scored(question, _K, **more)
    return _Asked(question, tuple(found for found, _ in hits), hits[0][1] if hits else 0.0)


def _told_apart(asked: Sequence[_Asked]) -> float | None:
    """How often the best score of a question with an answer is above that of one without: 0.5 is chance, 1 always."""
    scores: tuple[list[float], list[float]] = ([], [])
    for one in asked:
        scores[one.question.answerable].append(one.best)
    without, answered = scores
    if not without or not answered:
        return None
    above = sum((high > low) + 0.5 * (high == low) for high in answered for low in without)
    return above / (len(answered) * len(without))


def _under(plain: Sequence[_Asked], strict: Sequence[_Asked]) -> dict[str, float]:
    pairs = list(zip(plain, strict, strict=True))
    answered = [(before, after) for before, after in pairs if before.question.answerable]
    without = [after for _, after in pairs if not after.question.answerable]
    return {
        "silent_without_answer": _share([not one.found for one in without]),
        "silent_with_answer": _share([not after.found for _, after in answered]),
        "answers_lost": _share([before.hit and not after.hit for before, after in answered]),
        "hit@10": _share([after.hit for _, after in answered]),
        "hit@10_without_threshold": _share([before.hit for before, _ in answered]),
    }


def _share(told: Sequence[bool]) -> float:
    return sum(told) / len(told) if told else 0.0
