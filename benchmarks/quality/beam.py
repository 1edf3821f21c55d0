"""BEAM: long chats of a user with an assistant, with questions of ten kinds and the messages that answer them.

Tavakoli and others, Beyond a Million Tokens, 2025. The data are not part of this project; give the path of a folder
that holds a folder for each chat.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.quality.collection import Collection, Conversation, Item, Question

__all__ = ["is_one", "load"]

_CHAT, _QUESTIONS = "chat.json", "probing_questions.json"
_NO_ANSWER = "abstention"
# Nearly every message is a source of a summary, so recall of ten says nothing about it.
_NOT_MAIN = {_NO_ANSWER, "summarization"}
_REFERENCE = re.compile(r"\s*->->\s*[\d,N/A ]*\s*$")
_ANCHOR = "%B-%d-%Y"


def is_one(path: Path) -> bool:
    """Whether folders with chats are in it."""
    return any((inner / _CHAT).exists() for inner in path.iterdir())


def load(path: Path) -> Collection:
    """Every chat of the folder. A message is a memory, a batch of messages a thread."""
    chats = sorted((inner for inner in path.iterdir() if (inner / _CHAT).exists()), key=_number)
    return Collection("BEAM", tuple(_conversation(chat) for chat in chats))


def _number(chat: Path) -> int:
    return int(chat.name) if chat.name.isdigit() else 0


def _conversation(chat: Path) -> Conversation:
    name = f"beam{chat.name}"
    items = tuple(_items(name, json.loads((chat / _CHAT).read_text(encoding="utf-8"))))
    known = {item.id for item in items}
    asked = json.loads((chat / _QUESTIONS).read_text(encoding="utf-8"))
    questions = tuple(
        _question(f"{name}#{category}{number}", category, told, known)
        for category, every in asked.items()
        for number, told in enumerate(every)
    )
    return Conversation(name, items, questions)


def _items(name: str, batches: list[dict[str, Any]]) -> Iterator[Item]:
    for batch in batches:
        thread, occurred_at = f"{name}/{batch['batch_number']}", None
        for message in (message for group in batch["turns"] for message in group):
            # An anchor dates the messages after it, too, up to the end of the batch.
            occurred_at = _date(message.get("time_anchor")) or occurred_at
            text = f"{message['role']}: {_REFERENCE.sub('', message['content'])}"
            yield Item(str(message["id"]), text, thread, message["role"], occurred_at)


def _date(anchor: str | None) -> str | None:
    try:
        return datetime.strptime((anchor or "").strip(), _ANCHOR).isoformat(timespec="minutes")
    except ValueError:
        return None


def _question(id: str, category: str, told: dict[str, Any], known: set[str]) -> Question:
    sources = dict.fromkeys(str(number) for number in _numbers(told.get("source_chat_ids", [])))
    relevant = tuple(source for source in sources if source in known)
    answerable = category != _NO_ANSWER
    answer = str(told.get("answer") or told.get("ideal_answer") or "")
    return Question(id, told["question"], relevant, category, category not in _NOT_MAIN, answerable, answer=answer)


def _numbers(nested: Any) -> Iterator[int]:
    if isinstance(nested, int):
        yield nested
    elif isinstance(nested, dict):
        for inner in nested.values():
            yield from _numbers(inner)
    elif isinstance(nested, list):
        for inner in nested:
            yield from _numbers(inner)
