"""Reading: by id, by time; opening; what a store costs in memory and on disk."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.ground import Filled, Ground
from benchmarks.raw import RawStore
from benchmarks.row import Figure, Row, time_of
from benchmarks.timing import race

__all__ = ["by_ids", "by_time", "disk", "get", "idle", "opening", "run_apart"]

_MEBIBYTE = 1 << 20


def _drawn(filled: Filled, each: int) -> Callable[[], list[str]]:
    """So many ids at a time, the same ones in the same order for everyone who asks."""
    chance = random.Random(3)
    groups = [chance.choices(filled.ids, k=each) for _ in range(997)]
    place = [0]

    def next_group() -> list[str]:
        place[0] += 1
        return groups[place[0] % len(groups)]

    return next_group


def get(ground: Ground) -> list[Row]:
    """One memory by its id."""
    filled = ground.filled(ground.small)
    mine, other = _drawn(filled, 1), _drawn(filled, 1)
    calls = 300 if ground.quick else 3_000
    timed = race(
        lambda: filled.memory.get(mine()[0]), lambda: filled.raw.get(other()[0]), rounds=ground.rounds, calls=calls
    )
    met = timed.ours.p50 <= 20e-6
    return [Row("get by id", time_of(timed.ours), time_of(timed.yardstick), "raw SQLite", timed.ratio, "20 µs", met)]


def by_ids(ground: Ground) -> list[Row]:
    """Ten memories by their ids in one call."""
    filled = ground.filled(ground.small)
    mine, other = _drawn(filled, 10), _drawn(filled, 10)
    timed = race(
        lambda: filled.memory.get_many(mine()),
        lambda: [filled.raw.get(wanted) for wanted in other()],
        rounds=ground.rounds,
        calls=50 if ground.quick else 500,
    )
    met = timed.ours.p50 <= 100e-6
    return [
        Row("get_many of 10", time_of(timed.ours), time_of(timed.yardstick), "raw SQLite", timed.ratio, "100 µs", met)
    ]


def by_time(ground: Ground) -> list[Row]:
    """A thousand memories by their time of creation."""
    filled = ground.filled(ground.small)
    start, end = filled.span
    late = round((end + 10 * 365 * 86_400) * 1_000)
    timed = race(
        lambda: _counted(filled.memory.range(start, end, limit=1_000)),
        lambda: _counted(filled.raw.range(round(start * 1_000), late, 1_000)),
        rounds=ground.rounds,
        calls=10 if ground.quick else 40,
    )
    met = timed.ours.p50 <= 2e-3
    return [
        Row("range of 1,000", time_of(timed.ours), time_of(timed.yardstick), "raw SQLite", timed.ratio, "2 ms", met)
    ]


def _counted(found: list[Any]) -> None:
    if len(found) != 1_000:
        raise RuntimeError(f"a range of 1,000 found {len(found)}")


def run_apart(*arguments: str) -> dict[str, Any]:
    """What a process of its own measured."""
    command = [sys.executable, "-m", "benchmarks.process", *arguments]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, check=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def opening(ground: Ground) -> list[Row]:
    """Opening the largest store in a new process, and what the process holds after fifty recalls and a range."""
    filled = ground.filled(ground.large)
    path = str(filled.memory.path)
    runs = [run_apart("resident", path) for _ in range(3)]
    opened = sorted(run["opened_s"] for run in runs)[1]
    raw = sorted(_open_raw(filled) for _ in range(3))[1]
    held, before = runs[0]["held"], runs[0]["before"]
    own, resident, python = (size / _MEBIBYTE for size in (held["own"], held["resident"], before["own"]))
    note = f"{own:,.0f} MB of it the process's own, {python:,.0f} MB before the first query; the rest is mapped files"
    size = f"{ground.large:,}"
    figures = (Figure(opened, "s"), Figure(raw, "s"))
    used = Figure(resident, "MB")
    return [
        Row(f"open {size}", *figures, "raw SQLite", opened / raw, "50 ms", opened <= 0.05),
        Row(f"process at {size}, no vectors", used, None, "", None, "100 MB", resident <= 100, note),
    ]


def _open_raw(filled: Filled) -> float:
    from time import perf_counter

    started = perf_counter()
    raw = RawStore(filled.raw.path)
    raw.get(filled.ids[0])
    taken = perf_counter() - started
    raw.close()
    return taken


def disk(ground: Ground) -> list[Row]:
    """Bytes of all files for each memory once the stores are closed, without and with vectors."""
    from benchmarks.recalling import with_vectors

    filled = ground.filled(ground.small)
    filled.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    raw = Figure(filled.raw.path.stat().st_size / ground.small, "B")
    with_vectors(ground, ground.small)
    filled.memory.close()
    sizes = {file.name: file.stat().st_size / ground.small for file in filled.memory.path.iterdir()}
    whole = sum(sizes.values())
    plain = whole - sizes["vectors.db"]
    note = "; ".join(f"{name} {size:,.0f}" for name, size in sorted(sizes.items()) if size >= 1)
    against, met = "raw with FTS5", whole <= 1_800
    return [
        Row("disk a memory, no vectors", Figure(plain, "B"), raw, against, plain / raw.value, "", None),
        Row("disk a memory, with vectors", Figure(whole, "B"), raw, against, whole / raw.value, "1,800 B", met, note),
    ]


def idle(ground: Ground) -> list[Row]:
    """An open store that nobody uses."""
    filled = ground.filled(ground.small)
    share = run_apart("idle", str(filled.memory.path), "1" if ground.quick else "6")["share"] * 100
    return [Row("idle", Figure(share, "% CPU"), None, "", None, "0.5 %", share <= 0.5)]
