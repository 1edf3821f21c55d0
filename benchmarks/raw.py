"""The yardstick: the thinnest programs over SQLite that keep and find a comparable row.

One row for each memory, with what Chrysalis gives back (its signature included, which here is only some bytes) and the
same indexes: by id, by time, by order of change, and by tag. No log, no hashing, no signing, no checking.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["GroupCommit", "RawRow", "RawStore", "sqlite_versions"]

RawRow = tuple[Any, ...]

_TABLES = """
CREATE TABLE memory(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, changed INTEGER NOT NULL, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, agent TEXT NOT NULL, tier TEXT NOT NULL, memory_type TEXT NOT NULL,
    scope TEXT NOT NULL, importance INTEGER NOT NULL, confidence INTEGER NOT NULL, tags TEXT NOT NULL,
    content TEXT NOT NULL, fingerprint BLOB NOT NULL, signature BLOB NOT NULL);
CREATE INDEX memory_changed ON memory(changed);
CREATE INDEX memory_created ON memory(created_at);
CREATE TABLE tag(name TEXT NOT NULL, memory INTEGER NOT NULL, PRIMARY KEY(name, memory)) WITHOUT ROWID;
"""
_WORDS = "CREATE VIRTUAL TABLE words USING fts5(content, content='', tokenize='unicode61')"
_SETTINGS = ("journal_mode = WAL", "cache_size = -16384", "mmap_size = 268435456")
_INSERT = f"INSERT INTO memory VALUES({','.join('?' * 15)})"
_TAG = "INSERT INTO tag VALUES(?, ?)"
_BY_ID = "SELECT * FROM memory WHERE id = ?"
_RANGE = "SELECT * FROM memory WHERE created_at >= ? AND created_at < ? ORDER BY created_at, number LIMIT ?"
_SEARCH = """SELECT m.* FROM (SELECT rowid, rank FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?) found
             JOIN memory m ON m.number = found.rowid ORDER BY found.rank"""


def _connect(path: Path) -> Any:
    """apsw brings a new SQLite along; without it the standard library's will do."""
    try:
        import apsw
    except ImportError:
        import sqlite3

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=128)
    return apsw.Connection(str(path))


def sqlite_versions() -> str:
    """Which SQLite the yardstick runs on."""
    try:
        import apsw
    except ImportError:
        import sqlite3

        return f"{sqlite3.sqlite_version} (standard library)"
    return f"{apsw.sqlite_lib_version()} (apsw)"


class RawStore:
    """A connection to a file of rows; `words` adds a full-text index that is kept in the same transactions."""

    def __init__(self, path: Path, *, words: bool = False, synchronous: str = "FULL", busy_ms: int = 30_000) -> None:
        self.path = path
        self.words = words
        new = not path.exists()
        self.connection = _connect(path)
        self.execute = self.connection.execute
        # First of all: turning a new file to WAL beside others must wait like everything else.
        self.execute(f"PRAGMA busy_timeout = {busy_ms}").fetchall()
        for pragma in (*_SETTINGS, f"synchronous = {synchronous}"):
            self.execute(f"PRAGMA {pragma}").fetchall()
        if new:
            for statement in _TABLES.split(";")[:-1]:
                self.execute(statement)
            if words:
                self.execute(_WORDS)
        self._next = 1 + (self.execute("SELECT max(number) FROM memory").fetchone()[0] or 0)

    def rows(self, records: Iterable[dict[str, Any]], *, now_ms: int) -> list[RawRow]:
        """Rows to put, with numbers of their own."""
        made = []
        for record in records:
            made.append(_row(self._next, record, now_ms + self._next))
            self._next += 1
        return made

    def insert(self, row: RawRow) -> None:
        """One row with its tags and words, in whatever transaction is open."""
        self.execute(_INSERT, row)
        for tag in json.loads(row[11]):
            self.execute(_TAG, (tag, row[0]))
        if self.words:
            self.execute("INSERT INTO words(rowid, content) VALUES(?, ?)", (row[0], row[12]))

    def put(self, rows: Sequence[RawRow]) -> None:
        """All rows in one transaction; on disk when this returns."""
        self.execute("BEGIN IMMEDIATE")
        for row in rows:
            self.insert(row)
        self.execute("COMMIT")

    def get(self, id: str) -> RawRow | None:
        """The row with this id."""
        found: RawRow | None = self.execute(_BY_ID, (id,)).fetchone()
        return found

    def range(self, start: int, end: int, limit: int) -> list[RawRow]:
        """Rows by time of creation."""
        return list(self.execute(_RANGE, (start, end, limit)).fetchall())

    def search(self, query: str, k: int) -> list[RawRow]:
        """The rows that any of the words fit best, by BM25."""
        return list(self.execute(_SEARCH, (" OR ".join(f'"{word}"' for word in query.split()), k)).fetchall())

    def close(self) -> None:
        """Closes the file."""
        self.connection.close()


def _row(number: int, record: dict[str, Any], created_ms: int) -> RawRow:
    scores = (round(record["importance"] * 65_535), 32_768)
    told = ("bench", "long_term", record["memory_type"], "", *scores, json.dumps(record["tags"]), record["content"])
    return (number, record["id"], number, created_ms, created_ms, *told, os.urandom(48), os.urandom(64))


class GroupCommit:
    """Rows of many threads, committed together by one: the thinnest way to share the wait for the disk."""

    def __init__(self, store: RawStore) -> None:
        self._store = store
        self._waiting: queue.SimpleQueue[tuple[RawRow, threading.Lock] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def put(self, row: RawRow) -> None:
        """On disk when this returns."""
        done = threading.Lock()
        done.acquire()
        self._waiting.put((row, done))
        done.acquire()

    def close(self) -> None:
        """Ends the committing thread."""
        self._waiting.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = [first]
            while not self._waiting.empty() and (more := self._waiting.get()) is not None:
                group.append(more)
            self._store.put([row for row, _ in group])
            for _, done in group:
                done.release()
