"""Fills systems with collections and asks every question."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.quality.collection import Collection, Conversation, Question
from benchmarks.quality.intervals import difference, interval
from benchmarks.quality.metrics import FIGURES, means, score
from benchmarks.quality.system import Kind, System

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["Answered", "Measured", "ask", "filled", "measure"]

K = 50
_COMPARED = ("R@5", "R@10", "R@20", "MRR", "nDCG@10")


@dataclass(frozen=True)
class Answered:
    """One question with relevant memories, as one system answered it."""

    id: str
    category: str
    main: bool
    scores: Mapping[str, float]
    seconds: float
    """How long the search took, without embedding the question."""


@dataclass
class Measured:
    """One system over one collection."""

    rows: list[Answered] = field(default_factory=list)
    filling_s: float = 0.0
    """Seconds to take all memories, without embedding them."""

    def summary(self, ours: Measured | None = None) -> dict[str, Any]:
        """Every figure: overall with intervals, by category, and against ours."""
        main = [row.scores for row in self.rows if row.main]
        told: dict[str, Any] = {
            "overall": {"n": len(main), **means(main)},
            "intervals": {name: interval([row[name] for row in main]) for name in FIGURES} if main else {},
            "by_category": _by_category(self.rows),
            "search_p50_s": median(row.seconds for row in self.rows) if self.rows else None,
            "filling_s": self.filling_s,
        }
        if ours is not None and ours is not self:
            told["ours_minus_this"] = _against(ours.rows, self.rows)
        return told

    def each(self) -> list[dict[str, Any]]:
        """Every question's figures, by its id."""
        return [asdict(row) for row in self.rows]


def _by_category(rows: Sequence[Answered]) -> dict[str, dict[str, Any]]:
    categories: dict[str, list[Mapping[str, float]]] = {}
    for row in rows:
        categories.setdefault(row.category, []).append(row.scores)
    return {
        name: {"n": len(scores), **means(scores), "interval": interval([row["R@10"] for row in scores])}
        for name, scores in sorted(categories.items())
    }


def _against(ours: Sequence[Answered], theirs: Sequence[Answered]) -> dict[str, Any]:
    pairs = [(mine.scores, other.scores) for mine, other in zip(ours, theirs, strict=True) if mine.main]
    return {
        name: difference([mine[name] for mine, _ in pairs], [other[name] for _, other in pairs]).to_dict()
        for name in _COMPARED
        if pairs
    }


def measure(
    kind: Kind, collection: Collection, embedder: SharedEmbedder | None, say: Callable[[str], None]
) -> Measured:
    """Every conversation in a store of its own; raises `Missing` where the system can't be had."""
    measured = Measured()
    for conversation in collection.conversations:
        say(f"{collection.name}: {kind.name} on {conversation.name}, {len(conversation.items):,} memories")
        with tempfile.TemporaryDirectory(prefix="chrysalis-recall-", ignore_cleanup_errors=True) as folder:
            system, seconds = filled(kind, conversation, embedder, Path(folder))
            measured.filling_s += seconds
            measured.rows.extend(ask(system, conversation, embedder))
            system.close()
    return measured


def filled(
    kind: Kind, conversation: Conversation, embedder: SharedEmbedder | None, folder: Path
) -> tuple[System, float]:
    """A store with the conversation's memories, and the seconds that took without embedding."""
    system = kind.make(folder, embedder)
    began, embedded = time.perf_counter(), _spent(embedder)
    system.add_many(conversation.items)
    return system, time.perf_counter() - began - (_spent(embedder) - embedded)


def ask(system: System, conversation: Conversation, embedder: SharedEmbedder | None) -> list[Answered]:
    """Every question that some memory answers, or seems to.

    Where conversations are pooled, sessions are ranked among those of the question's own conversation.
    """
    rows: list[Answered] = []
    for part in conversation.parts or (conversation,):
        thread_of = {item.id: item.thread for item in part.items}
        rows.extend(_ask(system, question, thread_of, embedder) for question in part.questions if question.relevant)
    return rows


def _ask(
    system: System, question: Question, thread_of: Mapping[str, str | None], embedder: SharedEmbedder | None
) -> Answered:
    began, embedded = time.perf_counter(), _spent(embedder)
    ranked = system.search(question, K)[:K]
    seconds = time.perf_counter() - began - (_spent(embedder) - embedded)
    scores = score(ranked, question.relevant, thread_of)
    return Answered(question.id, question.category, question.main, scores, seconds)


def _spent(embedder: SharedEmbedder | None) -> float:
    return 0.0 if embedder is None else embedder.seconds
