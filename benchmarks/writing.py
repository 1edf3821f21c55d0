"""Remembering: one at a time, from many threads, in batches, and from many processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks import corpus
from benchmarks.ground import Ground
from benchmarks.raw import GroupCommit, RawRow, RawStore
from benchmarks.row import Figure, Row, rate, time_of
from benchmarks.timing import race
from chrysalis_memory import ChrysalisMemory

__all__ = ["batches", "processes", "single", "threads"]

_THREADS = 16
_PROCESSES = 8
_BATCH = 1_000
_WORDS_PER_STORE = 20_000


class _Pair:
    """An empty store of ours and a raw one, and records that nobody has remembered."""

    def __init__(self, ground: Ground, name: str, *, words: bool) -> None:
        self.memory = ChrysalisMemory(ground.new(f"{name}-ours"), agent_id="bench", embedder="none")
        self.raw = RawStore(ground.new(f"{name}-raw.db"), words=words)
        self._texts = corpus.contents(_WORDS_PER_STORE, seed=len(name))
        self._number = count()

    def record(self) -> dict[str, Any]:
        """A record of its own."""
        number = next(self._number)
        text = self._texts[number % len(self._texts)]
        [record] = corpus.records([text], prefix=f"new-{number}", seed=number)
        return record

    def row(self) -> RawRow:
        """A row of its own."""
        return self.raw.rows([self.record()], now_ms=int(time.time() * 1000))[0]

    def close(self) -> None:
        """Closes both."""
        self.memory.close()
        self.raw.close()


def _prepared(make: Callable[[], Any], put: Callable[[Any], object], uses: int) -> Callable[[], object]:
    """A call that puts the next of the things made beforehand."""
    waiting = iter([make() for _ in range(uses)])
    return lambda: put(next(waiting))


def single(ground: Ground) -> list[Row]:
    """One memory, on disk when the call returns."""
    pair = _Pair(ground, "single", words=False)
    calls = 50 if ground.quick else 300
    uses = ground.rounds * calls + 1
    ours = _prepared(pair.record, lambda record: pair.memory.remember(**record), uses)
    raw = _prepared(pair.row, lambda row: pair.raw.put([row]), uses)
    timed = race(ours, raw, rounds=ground.rounds, calls=calls)
    pair.close()
    figures = (time_of(timed.ours), time_of(timed.yardstick))
    met = timed.ratio <= 2 and timed.ours.p99 <= 0.002
    goal = "2x raw, p99 2 ms"
    return [Row("remember one, on disk", *figures, "raw SQLite, FULL", timed.ratio, goal, met)]


def threads(ground: Ground) -> list[Row]:
    """The same from 16 threads of one process."""
    pair = _Pair(ground, "threads", words=False)
    per_thread = 50 if ground.quick else 400
    group = GroupCommit(pair.raw)
    ours, theirs = [], []
    for _ in range(3 if ground.quick else 5):
        records = [[pair.record() for _ in range(per_thread)] for _ in range(_THREADS)]
        ours.append(_from_threads(records, lambda record: pair.memory.remember(**record)))
        rows = [[pair.row() for _ in range(per_thread)] for _ in range(_THREADS)]
        theirs.append(_from_threads(rows, group.put))
    group.close()
    pair.close()
    return [_threads_row(ours, theirs)]


_Run = tuple[float, list[float]]


def _threads_row(ours: Sequence[_Run], theirs: Sequence[_Run]) -> Row:
    here, raw = (
        rate(median(per_second for per_second, _ in runs), _p99([taken for _, each in runs for taken in each]))
        for runs in (ours, theirs)
    )
    ratio = median(one[0] / other[0] for one, other in zip(ours, theirs, strict=True))
    met = here.value >= 10_000
    return Row("remember from 16 threads", here, raw, "raw, group commit", ratio, "10,000/s", met)


def _p99(taken: Sequence[float]) -> float:
    return sorted(taken)[int(0.99 * len(taken))]


def _from_threads(work: Sequence[Sequence[Any]], put: Callable[[Any], object]) -> _Run:
    """How many a second all threads together put, and how long each took."""
    taken: list[float] = []
    barrier = threading.Barrier(len(work) + 1)

    def run(mine: Sequence[Any]) -> None:
        each = []
        barrier.wait()
        for item in mine:
            started = time.perf_counter()
            put(item)
            each.append(time.perf_counter() - started)
        taken.extend(each)

    running = [threading.Thread(target=run, args=(mine,)) for mine in work]
    for thread in running:
        thread.start()
    barrier.wait()
    began = time.perf_counter()
    for thread in running:
        thread.join()
    return sum(map(len, work)) / (time.perf_counter() - began), taken


def batches(ground: Ground) -> list[Row]:
    """A thousand in one transaction; the words are indexed behind the write, so once with waiting for that too."""
    forms = (
        ("remember_many of 1,000", _many),
        ("batch() of 1,000", _one_by_one),
        ("the same, and its words indexed", _many_indexed),
    )
    return [_batch(ground, what, put) for what, put in forms]


def _batch(ground: Ground, what: str, put: Callable[[ChrysalisMemory, list[dict[str, Any]]], None]) -> Row:
    pair = _Pair(ground, "batch", words=True)
    rounds = 2 if ground.quick else 9
    ours = _prepared(
        lambda: [pair.record() for _ in range(_BATCH)], lambda records: put(pair.memory, records), rounds + 1
    )
    raw = _prepared(lambda: [pair.row() for _ in range(_BATCH)], pair.raw.put, rounds + 1)
    timed = race(ours, raw, rounds=rounds, calls=1)
    pair.close()
    mine, other = (rate(_BATCH / timing.p50) for timing in (timed.ours, timed.yardstick))
    goal = "" if put is _many_indexed else "15,000/s"
    met = mine.value >= 15_000 if goal else None
    return Row(what, mine, other, "raw batch with FTS5", 1 / timed.ratio, goal, met)


def _many(memory: ChrysalisMemory, records: list[dict[str, Any]]) -> None:
    memory.remember_many(records)


def _many_indexed(memory: ChrysalisMemory, records: list[dict[str, Any]]) -> None:
    memory.remember_many(records)
    memory.flush()


def _one_by_one(memory: ChrysalisMemory, records: list[dict[str, Any]]) -> None:
    with memory.batch():
        for record in records:
            memory.remember(**record)


def processes(ground: Ground) -> list[Row]:
    """Eight processes that write to one store as fast as they can, and whether all get their turn."""
    seconds = 1.0 if ground.quick else 4.0
    ours = _from_processes("ours", ground.new("shared-ours"), seconds)
    raw = _from_processes("raw", ground.new("shared-raw.db"), seconds)
    fair, raw_fair = (Figure(min(counts) / mean(counts), "of mean") for counts, _ in (ours, raw))
    waits, raw_waits = (Figure(longest, "s") for _, longest in (ours, raw))
    together = f"together {sum(ours[0]) / seconds:,.0f}/s, raw {sum(raw[0]) / seconds:,.0f}/s"
    against = "raw, busy_timeout"
    return [
        Row("8 processes: slowest", fair, raw_fair, against, None, "0.5 of the mean", fair.value >= 0.5, together),
        Row(
            "8 processes: longest wait",
            waits,
            raw_waits,
            against,
            waits.value / raw_waits.value,
            "0.5 s",
            waits.value <= 0.5,
        ),
    ]


def _from_processes(kind: str, path: Path, seconds: float) -> tuple[list[int], float]:
    """How much each process wrote, and the longest that one of them waited."""
    # Made before, so that nobody measures who makes it.
    (ChrysalisMemory(path, embedder="none") if kind == "ours" else RawStore(path)).close()
    command = [sys.executable, "-m", "benchmarks.process", kind, str(path), str(seconds)]
    root = Path(__file__).parent.parent
    running = [
        subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(_PROCESSES)
    ]
    said = [_ready(process) for process in running]
    for process in said:
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [json.loads(process.communicate()[0]) for process in said]
    return [result["written"] for result in results], max(result["longest_s"] for result in results)


def _ready(process: subprocess.Popen[str]) -> Any:
    if process.stdout is None or process.stdout.readline() != "ready\n":
        raise RuntimeError("a process of the benchmark did not start")
    return process
