"""The hub beside a bare WebSocket server: operations in, deliveries, a thousand links, and from one agent to another.

Rates are those of the server: what it did, over the seconds of processor time that it took for it. Agents that verify
and store what they get need many times as much, and share the machine with it.

`python -m benchmarks.hub --minutes 10` runs a load instead and tells of memory and of what was lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from websockets.asyncio.client import connect

from benchmarks.ground import Ground
from benchmarks.hub_agents import crowd, more_files, store
from benchmarks.row import Figure, Row, rate
from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.network import Network

__all__ = ["delivering", "from_one_to_another", "many_links", "taking_in"]

_SENDERS = 4
_OPERATION_BYTES = 480
_WITHIN_S = 300.0
_PAUSE_S = 0.002
"""Between two memories of the one who writes: so many agents could not read them faster."""
_SETTLED_S, _RESTING_S = 10.0, 10.0
_WORDS = "The ferry to the outer pier leaves at the quarter hours, unless the wind at the sill is above force seven"
"""About what a memory of an agent says; with its fields some 365 bytes of payload."""


class Process:
    """A server in a process of its own."""

    def __init__(self, running: subprocess.Popen[str], url: str) -> None:
        self.running = running
        self.url = url

    def processor_s(self) -> float:
        """Seconds of processor time that it has taken, all threads together."""
        fields = Path(f"/proc/{self.running.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """What it holds in memory, as Linux tells it."""
        lines = Path(f"/proc/{self.running.pid}/status").read_text(encoding="utf-8").splitlines()
        [held] = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
        return int(held) * 1024


@contextmanager
def hub(folder: Path) -> Iterator[Process]:
    """A hub with an open space, so that a thousand agents need no thousand invitations."""
    flags = ["--store", str(folder), "--open-space", "--space", "bench", "--port", "0", "--http-port", "0"]
    bounds = ["--set", "embedder=none", "--set", "arrivals_per_s=100000", "--set", "handshakes_max=2000"]
    command = [sys.executable, "-m", "chrysalis_memory.cli", "hub", *flags, *bounds]
    more_files()
    with _started(command, lambda line: str(json.loads(line)["links"])) as process:
        yield process


@contextmanager
def bare() -> Iterator[Process]:
    """The yardstick."""
    with _started(
        [sys.executable, "-m", "benchmarks.hub_bare"], lambda line: f"ws://127.0.0.1:{line.strip()}"
    ) as process:
        yield process


@contextmanager
def _started(command: list[str], url_of: Callable[[str], str]) -> Iterator[Process]:
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        yield Process(running, url_of(running.stdout.readline()))
    finally:
        running.terminate()
        running.wait(timeout=60)


def until(holds: Callable[[], bool], within_s: float = _WITHIN_S, every_s: float = 0.002) -> None:
    """Waits until it holds. Raises `TimeoutError`."""
    end = time.perf_counter() + within_s
    while not holds():
        if time.perf_counter() > end:
            raise TimeoutError("the benchmark waited in vain")
        time.sleep(every_s)


def _filled(folder: Path, count: int) -> ChrysalisMemory:
    memory = store(folder)
    for start in range(0, count, 500):
        part = range(start, min(count, start + 500))
        memory.remember_many({"content": f"{_WORDS}, says {folder.name} in note {number}"} for number in part)
    return memory


def _is_acknowledged(network: Network) -> bool:
    peers = network.status().peers
    return bool(peers) and all(peer.connected and peer.lag == 0 for peer in peers)


class Measured:
    """Seconds that passed, and seconds of processor time that a server took meanwhile."""

    def __init__(self, server: Process) -> None:
        self._server = server
        self._began, self._used = time.perf_counter(), server.processor_s()
        self.passed_s = self.processor_s = 0.0

    def end(self) -> Measured:
        """Now."""
        self.passed_s = time.perf_counter() - self._began
        self.processor_s = max(0.01, self._server.processor_s() - self._used)
        return self


def _row(what: str, total: int, ours: Measured, theirs: Measured, goal: int, note: str) -> Row:
    figures = (rate(total / ours.processor_s), rate(total / theirs.processor_s))
    met = total / ours.processor_s >= goal
    note = f"{note}; took {ours.passed_s:.1f} s, bare {theirs.passed_s:.1f} s"
    ratio = theirs.processor_s / ours.processor_s
    return Row(what, *figures, "bare WebSocket server", ratio, f"{goal:,}/s of a core", met, note)


# Operations in.


def taking_in(ground: Ground) -> list[Row]:
    """Operations that agents bring, verified and on the hub's disk."""
    count = 500 if ground.quick else 5_000
    ours, theirs = _taken_in(ground, count), asyncio.run(_taken_in_bare(count))
    note = f"{_SENDERS} agents with {count:,} each; acknowledged from disk"
    return [_row("hub: operations in", count * _SENDERS, ours, theirs, 20_000, note)]


def _taken_in(ground: Ground, count: int) -> Measured:
    with ExitStack() as stack:
        server = stack.enter_context(hub(ground.new("hub")))
        senders = [stack.enter_context(_filled(ground.new("sender"), count)) for _ in range(_SENDERS)]
        networks = [Network(sender, peers=[server.url]) for sender in senders]
        measured = Measured(server)
        for network in networks:
            stack.callback(network.start().stop)
        until(lambda: all(map(_is_acknowledged, networks)), every_s=0.02)
        return measured.end()


async def _taken_in_bare(count: int) -> Measured:
    with bare() as server:
        message = bytes(_OPERATION_BYTES)

        async def one() -> None:
            async with connect(server.url, compression=None, max_queue=None, proxy=None) as connection:
                answers = asyncio.create_task(_receive(connection, count))
                for _ in range(count):
                    await connection.send(message)
                await answers

        measured = Measured(server)
        await asyncio.gather(*(one() for _ in range(_SENDERS)))
        return measured.end()


async def _receive(connection: Any, count: int) -> None:
    for _ in range(count):
        await connection.recv()


# Deliveries.


def delivering(ground: Ground) -> list[Row]:
    """What one agent says, stored by everybody who is linked."""
    listeners, count = (10, 100) if ground.quick else (200, 200)
    ours = _delivered(ground, listeners, count)
    theirs = asyncio.run(_delivered_bare(listeners, count))
    note = f"{count:,} operations to {listeners} agents"
    return [_row("hub: deliveries", listeners * count, ours, theirs, 40_000, note)]


def _delivered(ground: Ground, listeners: int, count: int) -> Measured:
    with ExitStack() as stack:
        server = stack.enter_context(hub(ground.new("hub")))
        writer = stack.enter_context(store(ground.new("writer")))
        stack.callback(Network(writer, peers=[server.url]).start().stop)
        listening = stack.enter_context(crowd(ground.new("agents"), server.url, listeners))
        measured = Measured(server)
        for number in range(count):
            writer.remember(f"{_WORDS}; note {number}")
            time.sleep(_PAUSE_S)
        listening.until_all_have(count)
        return measured.end()


async def _delivered_bare(listeners: int, count: int) -> Measured:
    with bare() as server:
        opened = [await connect(server.url, compression=None, max_queue=None, proxy=None) for _ in range(listeners)]
        speaking = await connect(server.url, compression=None, max_queue=None, proxy=None)
        receiving = [asyncio.create_task(_receive(connection, count)) for connection in opened]
        message = b"!" + bytes(_OPERATION_BYTES - 1)
        measured = Measured(server)
        for _ in range(count):
            await speaking.send(message)
        await asyncio.gather(*receiving)
        measured.end()
        for connection in (*opened, speaking):
            connection.transport.abort()
        return measured


# Many links.


def many_links(ground: Ground) -> list[Row]:
    """Agents that are linked and say nothing."""
    count = 50 if ground.quick else 1_000
    (ours, arriving, resting), theirs = _held(ground, count), asyncio.run(_held_bare(count))
    figures = (Figure(ours / 1e6, "MB"), Figure(theirs / 1e6, "MB"))
    goal, met = "100 MB with 1,000 agents", ours <= 100e6
    what = f"hub: memory with {count:,} agents linked"
    note = (
        f"linked and agreed in {arriving.passed_s:.0f} s, {arriving.processor_s:.1f} s of the hub's processor; "
        f"at rest {100 * resting.processor_s / resting.passed_s:.0f} % of a core"
    )
    return [Row(what, *figures, "bare WebSocket server", ours / theirs, goal, met, note)]


def _held(ground: Ground, count: int) -> tuple[int, Measured, Measured]:
    """Bytes that the hub held, how the links came up, and what it did while nobody said anything."""
    with ExitStack() as stack:
        server = stack.enter_context(hub(ground.new("hub")))
        arriving = Measured(server)
        linked = stack.enter_context(crowd(ground.new("agents"), server.url, count))
        arriving.end()
        time.sleep(_SETTLED_S)
        resting = Measured(server)
        time.sleep(_RESTING_S)
        resting.end()
        held, there = server.resident_bytes(), linked.linked()
        if there < count:
            raise RuntimeError(f"only {there} of {count} links held")
        return held, arriving, resting


async def _held_bare(count: int) -> int:
    with bare() as server:
        opened = [await connect(server.url, compression=None, max_queue=None, proxy=None) for _ in range(count)]
        held = server.resident_bytes()
        for connection in opened:
            connection.transport.abort()
        return held


# From one agent to another.


def from_one_to_another(ground: Ground) -> list[Row]:
    """Written by one agent, recalled by another, over the hub."""
    rounds = 20 if ground.quick else 300
    ours, theirs = _recalled(ground, rounds), asyncio.run(_relayed_bare(rounds))
    here, bare = (Figure(median(times), "s", sorted(times)[int(0.99 * len(times))]) for times in (ours, theirs))
    met = here.value <= 0.020 and (here.p99 or 1) <= 0.100
    goal = "20 ms, p99 100 ms"
    return [
        Row(
            "hub: written here, recallable there",
            here,
            bare,
            "bare WebSocket server",
            here.value / bare.value,
            goal,
            met,
        )
    ]


def _recalled(ground: Ground, rounds: int) -> list[float]:
    with ExitStack() as stack:
        server = stack.enter_context(hub(ground.new("hub")))
        ada, bob = (stack.enter_context(_linked(ground.new(name), server.url)) for name in ("ada", "bob"))
        ada.remember("warm")
        until(lambda: bob.stats().memories == 1)
        return [_round(ada, bob, number) for number in range(rounds)]


def _linked(folder: Path, url: str) -> ChrysalisMemory:
    """A store as an agent opens it: on disk when a write returns, and its links hear of each write at once."""
    return ChrysalisMemory(folder, agent_id=folder.name, space="bench", embedder="none", peers=[url])


def _round(ada: ChrysalisMemory, bob: ChrysalisMemory, number: int) -> float:
    word = f"tidemark{number}"
    ada.remember(f"{_WORDS}; {word}")
    began = time.perf_counter()
    until(lambda: len(bob.recall(word, k=1)) > 0, every_s=0.0005)
    return time.perf_counter() - began


async def _relayed_bare(rounds: int) -> list[float]:
    with bare() as server:
        opened = [await connect(server.url, compression=None, proxy=None) for _ in range(2)]
        taken = []
        for _ in range(rounds):
            began = time.perf_counter()
            await opened[0].send(b"!" + bytes(_OPERATION_BYTES))
            await opened[1].recv()
            taken.append(time.perf_counter() - began)
        for connection in opened:
            connection.transport.abort()
        return taken


# A load, for as long as asked.


def load(
    minutes: Annotated[float, typer.Option(help="How long agents write.")] = 10.0,
    agents: Annotated[int, typer.Option(help="How many agents.")] = 8,
    per_s: Annotated[float, typer.Option(help="Memories that each writes in a second.")] = 20.0,
) -> None:
    """Agents that write and read over one hub: how its memory grows, and whether anything is lost."""
    with tempfile.TemporaryDirectory(prefix="chrysalis-hub-load-") as made, ExitStack() as stack:
        folder = Path(made)
        server = stack.enter_context(hub(folder / "hub"))
        memories = [stack.enter_context(store(folder / f"agent-{number}")) for number in range(agents)]
        for memory in memories:
            stack.callback(Network(memory, peers=[server.url]).start().stop)
        written, held = _write_for(memories, server, minutes * 60, per_s)
        until(lambda: all(memory.stats().memories == written for memory in memories), within_s=120, every_s=0.2)
        lost = [written - memory.stats().memories for memory in memories]
    early = held[len(held) // 5]
    print(f"{agents} agents wrote {written:,} memories in {minutes:g} minutes; lost at any of them: {max(lost)}")
    print(f"memory of the hub: {early / 1e6:.1f} MB after a fifth of the time, {held[-1] / 1e6:.1f} MB at the end")
    print(f"growth: {(held[-1] - early) / max(1, written * 4 // 5):.0f} B for each memory written meanwhile")


def _write_for(memories: list[ChrysalisMemory], server: Process, seconds: float, per_s: float) -> tuple[int, list[int]]:
    written, held, began = 0, [server.resident_bytes()], time.perf_counter()
    while (past := time.perf_counter() - began) < seconds:
        if written < past * per_s * len(memories):
            memories[written % len(memories)].remember(f"{_WORDS}; number {written}")
            written += 1
        else:
            time.sleep(0.002)
        if past > len(held) * seconds / 100:
            held.append(server.resident_bytes())
    return written, held


if __name__ == "__main__":
    typer.run(load)
