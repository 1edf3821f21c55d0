"""What runs in a process of its own: `python -m benchmarks.process KIND PATH ...`, answering with one line of JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.raw import RawStore
from chrysalis_memory import ChrysalisMemory


def _write(kind: str, path: Path, seconds: float) -> dict[str, Any]:
    """Writes for so many seconds: how many, and the longest that one took."""
    records = corpus.records(corpus.contents(2_000, seed=os.getpid()), prefix="p", seed=os.getpid())
    put, close = _putter(kind, path)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    written, longest, end = 0, 0.0, time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        put({**records[written % len(records)], "id": f"{os.getpid()}-{written}"})
        longest = max(longest, time.perf_counter() - started)
        written += 1
    close()
    return {"written": written, "longest_s": longest}


def _putter(kind: str, path: Path) -> tuple[Callable[[dict[str, Any]], object], Callable[[], None]]:
    if kind == "ours":
        memory = ChrysalisMemory(path, agent_id="bench", embedder="none")
        return lambda record: memory.remember(**record), memory.close
    raw = RawStore(path)
    started = os.getpid() << 32

    def put(record: dict[str, Any]) -> None:
        [row] = raw.rows([record], now_ms=int(time.time() * 1000))
        # Numbers of its own: the row of another process must not be in the way.
        raw.put([(started + row[0], *row[1:])])

    return put, raw.close


def _resident(path: Path, queries: list[str]) -> dict[str, Any]:
    """Opens a filled store, uses it, and says how long opening took and how much memory the process holds."""
    started = time.perf_counter()
    memory = ChrysalisMemory(path, agent_id="bench", embedder="none")
    opened_s = time.perf_counter() - started
    before = _status()
    for query in queries:
        memory.recall(query)
    memory.range(None, None, limit=1_000)
    held = _status()
    memory.close()
    return {"opened_s": opened_s, "before": before, "held": held}


def _status() -> dict[str, int]:
    """Bytes by kind, as Linux tells them."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    wanted = {"VmRSS": "resident", "RssAnon": "own", "RssFile": "of_files"}
    pairs = (line.split(":") for line in lines)
    return {wanted[name]: int(value.split()[0]) * 1024 for name, value in pairs if name in wanted}


def _idle(path: Path, seconds: float) -> dict[str, Any]:
    """Holds a store open and does nothing: how much of a core that takes."""
    memory = ChrysalisMemory(path, agent_id="bench", embedder="none")
    memory.recall("warm")
    began, used = time.perf_counter(), time.process_time()
    time.sleep(seconds)
    share = (time.process_time() - used) / (time.perf_counter() - began)
    memory.close()
    return {"share": share}


def main(arguments: list[str]) -> None:
    """Runs what the first argument names."""
    kind, path, *rest = arguments
    if kind == "resident":
        answer = _resident(Path(path), corpus.queries(50))
    elif kind == "idle":
        answer = _idle(Path(path), float(rest[0]))
    else:
        answer = _write(kind, Path(path), float(rest[0]))
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
