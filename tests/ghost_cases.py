"""What the tests of the ghost share: a clock that is set by hand, and what other processes run."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import monotonic

from chrysalis_memory import NotFound
from chrysalis_memory.context import ContextWindow
from chrysalis_memory.ghost import GhostCache
from chrysalis_memory.paths import Paths

WITHIN_S = 60

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class Hands:
    """A clock that stands still until it is set."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def go(self, **length: float) -> None:
        self.at += timedelta(**length)


def deposit(path: str, worker: int, count: int) -> int:
    ghost = GhostCache(path)
    for number in range(count):
        ghost.pheromones.deposit("warning", f"worker {worker} says {number}", agent=f"w{worker}", strength=1.0)
        ghost.pheromones.deposit("shared", "the same from all", agent="all", strength=1.0)
    return len(ghost.problems)


def propose(path: str, worker: int, count: int) -> list[str]:
    ghost = GhostCache(path)
    return [ghost.proposals.propose(f"worker {worker} proposes {number}").id for number in range(count)]


def accept(path: str, ids: list[str]) -> list[str]:
    ghost, accepted = GhostCache(path), []
    for one in ids:
        try:
            accepted.append(ghost.proposals.accept(one).id)
        except NotFound:
            continue
    return accepted


def snapshot(path: str, worker: int, count: int) -> int:
    ghost = GhostCache(path)
    for number in range(count):
        ghost.write("status", {"worker": worker, "number": number, "filler": "x" * 5000})
        ghost.write_agent(f"Agent {worker}", {"number": number})
        ghost.record_call(number % 2 == 0)
    return len(ghost.problems)


def read_status(path: str, times: int) -> int:
    """How often a status was seen; one that is not whole would be set aside, and counts as a problem."""
    ghost, seen = GhostCache(path), 0
    for _ in range(times):
        seen += ghost.read("status") is not None
    assert list(ghost.problems) == []
    return seen


def crystallize(store: str, ghost: str, worker: int, count: int) -> list[str]:
    """Crystallizes and resumes by paths; returns the ids. What went wrong beside an answer ends it."""

    async def walk() -> list[str]:
        ids = []
        async with Paths(store, ghost=ghost, agent_id=f"w{worker}", embedder="none") as paths:
            for number in range(count):
                window = ContextWindow().add("user", f"worker {worker} says {number}")
                made = await paths.invoke("self.memory.crystallize", context=window)
                again = await paths.invoke("self.memory.resume", crystal_id=made.value.crystal_id)
                assert (made.warnings, again.warnings, again.value) == ((), (), window)
                ids.append(made.value.crystal_id)
        return ids

    return asyncio.run(walk())


def write_for_ever(path: str, begun: str) -> None:
    """Until the process is killed."""
    ghost, number = GhostCache(path), 0
    while True:
        number += 1
        ghost.write("status", {"number": number, "filler": "x" * 200_000})
        ghost.pheromones.deposit("warning", f"number {number % 5}")
        ghost.record_call(True)
        if number == 3:
            Path(begun).touch()


def hold(path: str, held: str, release: str) -> None:
    """Holds the lock from when it has made one file until there is another."""
    with GhostCache(path)._files.locked():
        Path(held).touch()
        wait_for(Path(release))


def wait_for(file: Path) -> None:
    """Until the file is there, but not for ever."""
    until = monotonic() + WITHIN_S
    while not file.exists():
        assert monotonic() < until, f"{file} never came"
