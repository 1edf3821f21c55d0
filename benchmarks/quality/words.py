"""Words alone: SQLite's FTS5, which ranks by BM25."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.quality.collection import Item, Question

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["Stemmed", "Stopped", "Words"]

_WORD = re.compile(r"\w+")
_STOPPED = """
    a about after all also am an and any are as at be because been before being both but by can could did do does
    doing down during each few for from had has have having he her here hers him his how i if in into is it its just me
    more most my no nor not of off on once only or other our out over own same she should so some such than that the
    their them then there these they this those through to too under up very was we were what when where which while
    who whom why will with would you your"""


class Words:
    """The words of the question joined with OR, best first by bm25."""

    tokenizer = "unicode61"
    left_out: frozenset[str] = frozenset()

    def __init__(self, folder: Path, embedder: SharedEmbedder | None) -> None:
        del folder, embedder
        self._ids: list[str] = []
        self._connection = sqlite3.connect(":memory:")
        self._connection.execute(f"CREATE VIRTUAL TABLE words USING fts5(content, tokenize='{self.tokenizer}')")

    def add_many(self, items: Sequence[Item]) -> None:
        """One row for each."""
        self._ids.extend(item.id for item in items)
        self._connection.executemany("INSERT INTO words(content) VALUES(?)", [(item.text,) for item in items])

    def search(self, question: Question, k: int) -> list[str]:
        """The rows that any word fits."""
        words = [word for word in _WORD.findall(question.text) if word.lower() not in self.left_out]
        if not words:
            return []
        asked = " OR ".join(f'"{word}"' for word in words)
        rows = self._connection.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", (asked, k))
        return [self._ids[number - 1] for (number,) in rows]

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()


class Stemmed(Words):
    """Words cut to their stems after Porter."""

    tokenizer = "porter unicode61"


class Stopped(Stemmed):
    """Stems, and the commonest words of English left out of the question."""

    left_out = frozenset(_STOPPED.split())
