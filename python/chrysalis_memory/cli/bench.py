"""`chrysalis bench`: how fast this machine is, beside the standard library's SQLite doing comparable work.

The other side keeps one row for each memory, with the same indexes and full-text search: no log, no signature, no
history. What Chrysalis takes longer is what those cost. `benchmarks/` in the sources measures much more.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter, time
from typing import Annotated, Any, Final

import typer
from rich import box
from rich.table import Table

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.cli.options import Json
from chrysalis_memory.cli.output import console, for_people, print_json, print_row, say, working
from chrysalis_memory.data import harbour_memories

_MEMORIES: Final = 10_000
_BATCH: Final = 1_000
_WORDS: Final = 45
_SINGLE: Final = 100
_GETS: Final = 2_000
_RANGES: Final = 15
_QUERIES: Final = 60
_ROUNDS: Final = 3

_TABLES: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE memory(
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, changed INTEGER NOT NULL, created_at INTEGER NOT NULL,
    tags TEXT NOT NULL, content TEXT NOT NULL);
CREATE INDEX memory_changed ON memory(changed);
CREATE INDEX memory_created ON memory(created_at);
CREATE TABLE tag(name TEXT NOT NULL, memory INTEGER NOT NULL, PRIMARY KEY(name, memory)) WITHOUT ROWID;
"""
_SEARCH: Final = """SELECT m.* FROM (SELECT rowid, rank FROM words WHERE words MATCH ? ORDER BY rank LIMIT 10) found
                    JOIN memory m ON m.number = found.rowid ORDER BY found.rank"""


@dataclass(frozen=True)
class _Row:
    """Median times of one call in seconds, and how they compare."""

    what: str
    chrysalis_s: float
    sqlite_s: float
    ratio: float


class _Plain:
    """Memories as rows of the standard library's SQLite."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(_TABLES)
        self.has_words = self._with_words()
        self._numbers = count(1)

    def _with_words(self) -> bool:
        try:
            self._connection.execute("CREATE VIRTUAL TABLE words USING fts5(content, content='')")
        except sqlite3.OperationalError:
            return False  # some Pythons come with an SQLite without full-text search
        return True

    def put(self, records: Iterable[dict[str, Any]], *, words: bool = True) -> None:
        """One transaction, on disk when this returns."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for record in records:
            number, now = next(self._numbers), int(time() * 1000)
            values = (number, record["id"], number, now, ",".join(record["tags"]), record["content"])
            execute("INSERT INTO memory VALUES(?, ?, ?, ?, ?, ?)", values)
            for tag in record["tags"]:
                execute("INSERT INTO tag VALUES(?, ?)", (tag, number))
            if words and self.has_words:
                execute("INSERT INTO words(rowid, content) VALUES(?, ?)", (number, record["content"]))
        execute("COMMIT")

    def get(self, id: str) -> object:
        """The row with this id."""
        return self._connection.execute("SELECT * FROM memory WHERE id = ?", (id,)).fetchone()

    def ids(self) -> list[str]:
        """The ids of all rows."""
        return [name for (name,) in self._connection.execute("SELECT id FROM memory")]

    def range(self) -> object:
        """A thousand rows by time."""
        sql = "SELECT * FROM memory WHERE created_at >= 0 ORDER BY created_at, number LIMIT 1000"
        return self._connection.execute(sql).fetchall()

    def search(self, query: str) -> object:
        """The ten rows that fit best."""
        asked = " OR ".join(f'"{word}"' for word in query.split())
        return self._connection.execute(_SEARCH, (asked,)).fetchall()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


class _Words:
    """Texts and queries of the words that the demonstration's memories are made of, as often as they stand there."""

    def __init__(self) -> None:
        self._chance = random.Random(7)  # noqa: S311 - nothing here is secret
        self._words = [
            "".join(filter(str.isalnum, word)).lower()
            for record in harbour_memories()
            for word in str(record["content"]).split()
        ]
        self._words = [word for word in self._words if word]
        self._numbers = count()

    def record(self) -> dict[str, Any]:
        """A record of some 250 bytes with two tags."""
        number = next(self._numbers)
        # A number of its own, as real notes have names and dates that stand in few others.
        content = " ".join([*self._chance.choices(self._words, k=_WORDS), f"n{number % 500}"])
        return {"id": f"bench-{number:06}", "content": content, "tags": [f"a{number % 7}", f"b{number % 50}"]}

    def records(self, count: int) -> list[dict[str, Any]]:
        """So many records."""
        return [self.record() for _ in range(count)]

    def query(self) -> str:
        """Four words and a rare one."""
        return " ".join(sorted({*self._chance.choices(self._words, k=4), f"n{self._chance.randrange(500)}"}))


def bench(
    *,
    folder: Annotated[
        Path | None, typer.Option(help="Where to put the stores for a while: choose the disk that you mean to use.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure this machine: a new store beside plain SQLite, in some seconds.

    [bold]Examples[/bold]

      chrysalis bench

      chrysalis bench --folder /mnt/data --json
    """
    with tempfile.TemporaryDirectory(prefix="chrysalis-bench-", dir=folder) as made, working("Measuring"):
        rows = _measure(Path(made))
    if json:
        print_json({"sqlite": sqlite3.sqlite_version, "rows": [asdict(row) for row in rows]})
    elif for_people():
        console().print(_table(rows))
        say(f"[dim]Beside SQLite {sqlite3.sqlite_version} with one row a memory: unsigned, without a history.[/]")
    else:
        for row in rows:
            print_row(row.what, f"{row.chrysalis_s:.6f}", f"{row.sqlite_s:.6f}", f"{row.ratio:.2f}")


def _measure(folder: Path) -> list[_Row]:
    words, plain = _Words(), _Plain(folder / "plain.db")
    with ChrysalisMemory(folder / "store", agent_id="bench", embedder="none") as memory:
        rows = [*_writing(words, memory, plain), *_reading(words, memory, plain)]
    plain.close()
    return rows


def _writing(words: _Words, memory: ChrysalisMemory, plain: _Plain) -> list[_Row]:
    def one_of_ours() -> Callable[[], object]:
        record = words.record()
        return lambda: memory.remember(**record)

    def one_of_theirs() -> Callable[[], object]:
        record = words.record()
        return lambda: plain.put([record], words=False)

    def batch_of_ours() -> Callable[[], object]:
        records = words.records(_BATCH)
        return lambda: memory.remember_many(records)

    def batch_of_theirs() -> Callable[[], object]:
        records = words.records(_BATCH)
        return lambda: plain.put(records)

    batches = max(1, _MEMORIES // _BATCH // _ROUNDS)
    return [
        _race("remember one, on disk", one_of_ours, one_of_theirs, _SINGLE),
        _race(f"remember {_BATCH:,} in one batch", batch_of_ours, batch_of_theirs, batches),
    ]


def _reading(words: _Words, memory: ChrysalisMemory, plain: _Plain) -> list[_Row]:
    memory.flush()
    ids = [one.id for one in memory.list(limit=_MEMORIES)]
    theirs = plain.ids()
    chance = random.Random(3)  # noqa: S311 - nothing here is secret
    rows = [
        _race("get by id", _calls(memory.get, ids, chance), _calls(plain.get, theirs, chance), _GETS),
        _race(
            "range of 1,000",
            lambda: lambda: memory.range(None, None, limit=1_000),
            lambda: plain.range,
            _RANGES,
        ),
    ]
    if plain.has_words:
        asked = [words.query() for _ in range(_QUERIES)]
        what = f"recall 10 of {len(ids):,}, by words"
        rows.append(_race(what, _calls(memory.recall, asked, chance), _calls(plain.search, asked, chance), _QUERIES))
    return rows


def _calls(
    ask: Callable[[str], object], choices: list[str], chance: random.Random
) -> Callable[[], Callable[[], object]]:
    """Asks for one of the choices at a time."""

    def prepare() -> Callable[[], object]:
        chosen = chance.choice(choices)
        return lambda: ask(chosen)

    return prepare


_Prepare = Callable[[], Callable[[], object]]


def _race(what: str, ours: _Prepare, theirs: _Prepare, calls: int) -> _Row:
    """Times both in turns, so that whatever else the machine does slows both."""
    mine, other = [], []
    ours()()
    theirs()()
    for _ in range(_ROUNDS):
        mine.append(_timed(ours, calls))
        other.append(_timed(theirs, calls))
    ratio = median(one / another for one, another in zip(mine, other, strict=True))
    return _Row(what, median(mine), median(other), ratio)


def _timed(prepare: _Prepare, calls: int) -> float:
    taken = []
    for call in [prepare() for _ in range(calls)]:
        started = perf_counter()
        call()
        taken.append(perf_counter() - started)
    return median(taken)


def _table(rows: list[_Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("what")
    for head in ("chrysalis", "plain SQLite", "times as long"):
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(
            row.what,
            _shown(row.chrysalis_s),
            _shown(row.sqlite_s),
            f"{row.ratio:.1f}" if row.ratio >= 1 else f"{row.ratio:.2f}",
        )
    return table


def _shown(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:,.1f} ms"
