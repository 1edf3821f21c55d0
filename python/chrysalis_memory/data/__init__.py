"""The text that `chrysalis demo` works on: how two people and two agents built a tide page for a small harbour.

Invented for this project. Some memories correct earlier ones (`metadata.corrects`), one is a secret that should
never have been told (`metadata.asks_to_forget` names it), and the questions can be answered from them, or not at all.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

__all__ = ["harbour_memories", "harbour_questions"]


def harbour_memories() -> list[dict[str, Any]]:
    """Records for `remember_many`, in the order in which they happened.

    >>> memories = harbour_memories()
    >>> memories[0]["id"], memories[0]["speaker"]
    ('purpose', 'Ines')
    """
    return _lines("harbour.jsonl")


def harbour_questions() -> list[dict[str, Any]]:
    """Questions with the ids of the memories that answer them: none for those that nothing here answers.

    `kind` is `plain` (words of the memory), `paraphrase` (other words) or `unanswerable`.
    """
    return _lines("harbour_questions.jsonl")


def _lines(name: str) -> list[dict[str, Any]]:
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
