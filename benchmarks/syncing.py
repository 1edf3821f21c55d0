"""Sync over a line of this machine, between two processes, beside a bare WebSocket that echoes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from benchmarks import corpus
from benchmarks.ground import Ground
from benchmarks.row import Figure, Row, rate, time_of
from benchmarks.timing import Timing
from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.network import SyncReport

__all__ = ["bootstrap", "catching_up", "news"]

_LIVE_BYTES = 480  # an operation on the wire: what the echo carries


class _Other:
    """A process that keeps a store and listens: `python -m benchmarks.syncing PATH`, told what to do line by line."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.syncing", str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self._read()

    def ask(self, *words: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> _Other:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def _serve(path: Path) -> None:
    """The other process. `when ID`: waits until it has the memory, and says when, by the clock that both share."""
    with ChrysalisMemory(path, agent_id="other", embedder="none", listen="127.0.0.1:0") as memory:
        print(json.dumps(memory.status().address), flush=True)
        for line in sys.stdin:
            word, *rest = line.split()
            if word == "when":
                while memory.get(rest[0]) is None:
                    time.sleep(0.0002)
                answer: Any = time.monotonic()
            elif word == "worked":
                answer = time.process_time()
            elif word == "fill":
                answer = len(_fill(memory, int(rest[0]), rest[1]))
            else:
                answer = memory.stats().memories
            print(json.dumps(answer), flush=True)


def _fill(memory: ChrysalisMemory, count: int, prefix: str) -> list[object]:
    records = corpus.records(corpus.contents(count, seed=count), prefix=prefix, seed=count)
    return [one for start in range(0, count, 1_000) for one in memory.remember_many(records[start : start + 1_000])]


def news(ground: Ground) -> list[Row]:
    """A memory written in one process, until it can be had in the other."""
    rounds = 50 if ground.quick else 500
    waits, echoes = [], _echoes(rounds)
    with (
        _Other(ground.folder / "news-there") as other,
        ChrysalisMemory(ground.folder / "news-here", embedder="none", peers=[other.url]) as memory,
    ):
        memory.remember("warm", id="warm")
        other.ask("when", "warm")
        for number in range(rounds):
            words = corpus.contents(1, seed=number)[0]
            began = time.monotonic()
            memory.remember(words, id=f"news-{number}")
            waits.append(other.ask("when", f"news-{number}") - began)
    ours, bare = Timing((tuple(waits),)), Timing((tuple(echoes),))
    return [
        Row(
            "written here, can be had in another process (fsync on both sides)",
            time_of(ours),
            time_of(bare),
            f"bare WebSocket echo of {_LIVE_BYTES} B",
            ours.p50 / bare.p50,
            "p50 20 ms, p99 100 ms",
            ours.p50 <= 0.020 and ours.p99 <= 0.100,
        )
    ]


def catching_up(ground: Ground) -> list[Row]:
    """1,000 operations that the other side has and this one lacks. Both have met before: nothing is loaded now."""
    count = 1_000
    with (
        _Other(ground.folder / "late-there") as other,
        ChrysalisMemory(ground.folder / "late-here", embedder="none") as memory,
    ):
        memory.sync_once(other.url)
        meeting = _worked(memory, other)[1]
        other.ask("fill", str(count), "late")
        report, used, there = _worked(memory, other)
        assert report.stored == count
    size = report.received_bytes + report.sent_bytes
    what = f"{count:,} missing operations"
    return [
        _alone(f"{what}: CPU of the receiver, to the last acknowledgement", Figure(used, "s"), "15 ms", used <= 0.015),
        _alone(f"{what}: the same of an exchange with nothing missing", Figure(meeting, "s")),
        _alone(f"{what}: CPU of the sender", Figure(there, "s")),
        _alone(f"{what}: bytes both ways", Figure(size / 1_000, "kB"), "300 kB", size <= 300_000),
    ]


def _worked(memory: ChrysalisMemory, other: _Other) -> tuple[SyncReport, float, float]:
    """An exchange, and what it took of the processors here and there, in seconds."""
    there, here = other.ask("worked"), time.process_time()
    report = memory.sync_once(other.url)
    here = time.process_time() - here
    return report, here, other.ask("worked") - there


def _alone(what: str, figure: Figure, goal: str = "", met: bool | None = None) -> Row:
    return Row(what, figure, None, "", None, goal, met)


def bootstrap(ground: Ground) -> list[Row]:
    """A new replica of a full store."""
    count = 2_000 if ground.quick else 100_000
    with _Other(ground.folder / "full-there") as other:
        other.ask("fill", str(count), "full")
        with ChrysalisMemory(ground.folder / "full-here", embedder="none") as memory:
            began = time.perf_counter()
            report = memory.sync_once(other.url, timeout=600)
            took = time.perf_counter() - began
            assert memory.stats().memories == count
    what, received = f"a new replica of {count:,} memories", report.received_bytes / 1e6
    return [
        _alone(what, Figure(took, "s"), "10 s", took <= 10),
        _alone(
            f"{what}: received, verified and stored",
            rate(report.stored / took),
            "40,000/s",
            report.stored / took >= 40_000,
        ),
        _alone(f"{what}: bytes received", Figure(received, "MB"), "60 MB", received <= 60),
    ]


def _echoes(rounds: int) -> list[float]:
    """Round trips over a bare WebSocket between two threads."""
    ready, port = threading.Event(), [0]
    end = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def listen() -> None:
        loops.append(asyncio.get_running_loop())
        async with serve(echo, "127.0.0.1", 0, compression=None) as server:
            port[0] = server.sockets[0].getsockname()[1]
            ready.set()
            await end.wait()

    async def measure() -> list[float]:
        times = []
        async with connect(f"ws://127.0.0.1:{port[0]}", compression=None, proxy=None) as connection:
            for _ in range(rounds):
                began = time.perf_counter()
                await connection.send(bytes(_LIVE_BYTES))
                await connection.recv()
                times.append(time.perf_counter() - began)
        return times

    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    ready.wait()
    try:
        return asyncio.run(measure())
    finally:
        loops[0].call_soon_threadsafe(end.set)
        thread.join()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
