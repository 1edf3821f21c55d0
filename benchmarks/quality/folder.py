"""A folder of your own questions: `memories.jsonl` and `questions.jsonl`, a JSON object on each line.

A memory has `text`, and may have `id` (its line number otherwise), `thread`, `speaker`, `occurred_at`, `conversation`
(memories and questions of one conversation share a store) and whatever else `remember` takes. A question has `question`
and `relevant` (a list of ids; empty where nothing answers it), and may have `category`, `asked_at`, `answer` and
`conversation`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.quality.collection import Collection, Conversation, Item, Question

__all__ = ["is_one", "load"]

_MEMORIES, _QUESTIONS = "memories.jsonl", "questions.jsonl"


def is_one(path: Path) -> bool:
    """Whether both files are in it."""
    return (path / _MEMORIES).exists() and (path / _QUESTIONS).exists()


def load(path: Path) -> Collection:
    """The folder's memories and questions; raises `ValueError` for a line that makes no sense, naming it."""
    items: dict[str, list[Item]] = {}
    for number, told in _lines(path / _MEMORIES):
        items.setdefault(_store(told), []).append(_item(number, told))
    questions: dict[str, list[Question]] = {}
    for number, told in _lines(path / _QUESTIONS):
        questions.setdefault(_store(told), []).append(_question(number, told))
    _check(items, questions)
    names = [name for name in items if name in questions]
    return Collection(
        path.resolve().name,
        tuple(Conversation(name, tuple(items[name]), tuple(questions[name])) for name in names),
    )


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from None
        if not isinstance(told, dict):
            raise ValueError(f"{path.name}, line {number}: not an object")
        yield number, told


def _store(told: dict[str, Any]) -> str:
    return str(told.pop("conversation", "all"))


def _item(number: int, told: dict[str, Any]) -> Item:
    text = told.pop("text", None)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{_MEMORIES}, line {number}: a memory needs a text")
    named = str(told.pop("id", number))
    return Item(named, text, told.pop("thread", None), told.pop("speaker", None), told.pop("occurred_at", None), told)


def _question(number: int, told: dict[str, Any]) -> Question:
    text, relevant = told.get("question"), told.get("relevant")
    if not isinstance(text, str) or not isinstance(relevant, list):
        raise ValueError(f"{_QUESTIONS}, line {number}: a question needs a question and a list of relevant ids")
    ids = tuple(dict.fromkeys(str(one) for one in relevant))
    category = str(told.get("category", "all"))
    named, answer = str(told.get("id", number)), str(told.get("answer", ""))
    return Question(named, text, ids, category, bool(ids), bool(ids), told.get("asked_at"), answer)


def _check(items: dict[str, list[Item]], questions: dict[str, list[Question]]) -> None:
    for name, asked in questions.items():
        known = {item.id for item in items.get(name, ())}
        for question in asked:
            unknown = [one for one in question.relevant if one not in known]
            if unknown:
                raise ValueError(f"{_QUESTIONS}: question {question.id} names a memory that is not there: {unknown[0]}")
