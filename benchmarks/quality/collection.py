"""What is remembered and asked when quality is measured, whatever file it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Collection", "Conversation", "Item", "Question"]


@dataclass(frozen=True)
class Item:
    """One memory, with what `remember` takes beside its words."""

    id: str
    text: str
    thread: str | None = None
    speaker: str | None = None
    occurred_at: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other arguments of `remember`: tags, memory_type and so on."""


@dataclass(frozen=True)
class Question:
    """A question, the memories that answer it, and how it counts."""

    id: str
    text: str
    relevant: tuple[str, ...]
    category: str
    main: bool = True
    """Whether it is part of the overall figures."""
    answerable: bool = True
    """False where recall should return nothing."""
    asked_at: str | None = None
    answer: str = ""
    """What the collection gives as the answer, if it does."""


@dataclass(frozen=True)
class Conversation:
    """Memories that share a store, and the questions to it."""

    name: str
    items: tuple[Item, ...]
    questions: tuple[Question, ...]
    parts: tuple[Conversation, ...] = ()
    """What was pooled in it, if anything."""


@dataclass(frozen=True)
class Collection:
    """A data set: conversations, each with a store of its own, or pooled in one store for all."""

    name: str
    conversations: tuple[Conversation, ...]

    def pooled(self) -> Collection:
        """The same questions, asked of one store that holds everything."""
        moved = tuple(_prefixed(conversation) for conversation in self.conversations)
        items = tuple(item for conversation in moved for item in conversation.items)
        questions = tuple(question for conversation in moved for question in conversation.questions)
        return Collection(f"{self.name}, pooled", (Conversation("pooled", items, questions, moved),))

    def limited(self, questions: int) -> Collection:
        """At most so many questions of each conversation."""
        cut = [replace(one, questions=one.questions[:questions]) for one in self.conversations]
        return Collection(self.name, tuple(cut))

    def shape(self) -> dict[str, int | float]:
        """Counts for the head of a table."""
        items = [item for conversation in self.conversations for item in conversation.items]
        questions = [question for conversation in self.conversations for question in conversation.questions]
        return {
            "stores": len(self.conversations),
            "memories": len(items),
            "characters": round(sum(len(item.text) for item in items) / max(len(items), 1)),
            "questions": len([one for one in questions if one.main and one.relevant]),
            "without_answer": len([one for one in questions if not one.answerable]),
        }


def _prefixed(conversation: Conversation) -> Conversation:
    name = conversation.name
    items = tuple(replace(item, id=f"{name}/{item.id}") for item in conversation.items)
    questions = tuple(
        replace(question, relevant=tuple(f"{name}/{one}" for one in question.relevant))
        for question in conversation.questions
    )
    return Conversation(name, items, questions)
