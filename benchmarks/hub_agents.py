"""Agents of the hub's benchmarks: real nodes with real stores and keys, many of them in one loop, without a thread for
each; and a crowd of them in some processes.

`python -m benchmarks.hub_agents FOLDER URL COUNT` is one such process. It says `linked` when its agents all agree with
the hub, answers each number with `have` once every agent keeps so many memories, and `open` with how many links are up.
"""

from __future__ import annotations

import asyncio
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from chrysalis_memory import ChrysalisMemory, Config
from chrysalis_memory._core import Node

__all__ = ["Crowd", "crowd", "more_files", "store"]

_AT_ONCE = 8
_AGREED_S = 300.0
_LOOK_S = 0.05


def store(folder: Path) -> ChrysalisMemory:
    """A store of an agent in the open space of the benchmarks. It may lose what it keeps: the hub's disk counts."""
    return ChrysalisMemory(
        folder, agent_id=folder.name, space="bench", embedder="none", config=Config(durability="off")
    )


class Agent:
    """One agent that is linked to the hub and takes what comes."""

    def __init__(self, memory: ChrysalisMemory, connection: ClientConnection, url: str) -> None:
        self.memory = memory
        self.connection = connection
        self._node = Node(memory._core(), {"address": None}, secrets.randbits(63))
        self._node.opened(1, secrets.token_bytes(32), url, None, _now_ms())
        self._agreed = asyncio.Event()
        self.living = asyncio.create_task(self._live())

    async def until_agreed(self) -> None:
        """Until it and the hub hold the same."""
        await asyncio.wait_for(self._agreed.wait(), _AGREED_S)

    def is_up(self) -> bool:
        """Whether its link is up and it lives."""
        return self.connection.state is State.OPEN and not self.living.done()

    async def _live(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                for kind, *facts in self._node.step(_now_ms()):
                    await self._do(kind, facts)
                with suppress(asyncio.TimeoutError):
                    self._node.received(1, await asyncio.wait_for(self.connection.recv(decode=False), self._pause_s()))

    async def _do(self, kind: str, facts: list[Any]) -> None:
        if kind == "send":
            await self.connection.send(facts[1])
        elif kind == "close":
            raise ConnectionError(f"the hub was left: {facts}")
        elif kind == "event" and facts[0] == "agreed":
            self._agreed.set()

    def _pause_s(self) -> float:
        wake_ms = self._node.wake_at()
        return 1.0 if wake_ms is None else max(0.0, (wake_ms - _now_ms()) / 1000)


async def agents(folder: Path, url: str, count: int) -> list[Agent]:
    """So many of them, linked and agreed with the hub."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> Agent:
        async with room:
            memory = store(folder / f"{folder.name}-{number}")
            connection = await connect(
                url, compression=None, ping_interval=None, max_size=None, proxy=None, open_timeout=_AGREED_S
            )
            agent = Agent(memory, connection, url)
            await agent.until_agreed()
            return agent

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def close(linked: list[Agent]) -> None:
    """Ends their links and closes their stores."""
    for agent in linked:
        agent.connection.transport.abort()
        agent.living.cancel()
    await asyncio.gather(*(agent.living for agent in linked), return_exceptions=True)
    for agent in linked:
        agent.memory.close()


def _now_ms() -> int:
    return int(time.monotonic() * 1000)


def more_files() -> None:
    """Lets this process, and those that it starts, open as many files as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Crowd:
    """Agents in processes of their own."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def _each(self, said: str) -> list[str]:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{said}\n")
            process.stdin.flush()
        return self.heard()

    def heard(self) -> list[str]:
        """The next line of each. Raises `RuntimeError` when one has died."""
        lines = [process.stdout.readline().strip() for process in self._processes if process.stdout is not None]
        if not all(lines):
            raise RuntimeError("agents of the benchmark died")
        return lines

    def until_all_have(self, memories: int) -> None:
        """Until every agent keeps so many memories."""
        self._each(str(memories))

    def linked(self) -> int:
        """How many links are up."""
        return sum(int(line) for line in self._each("open"))


@contextmanager
def crowd(folder: Path, url: str, count: int, processes: int = 2) -> Iterator[Crowd]:
    """So many agents that are linked and agree with the hub. They live and answer until the end."""
    sizes = [count // processes + (number < count % processes) for number in range(processes)]
    with ExitStack() as stack:
        started = []
        for number, size in enumerate(sizes):
            own = str(folder.resolve() / f"crowd{number}")
            command = [sys.executable, "-m", "benchmarks.hub_agents", own, url, str(size)]
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
            )
            stack.callback(_end, process)
            started.append(process)
        gathered = Crowd(started)
        gathered.heard()
        yield gathered


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


async def _serve(folder: Path, url: str, count: int) -> None:
    linked = await agents(folder, url, count)
    loop = asyncio.get_running_loop()
    sys.stdout.write("linked\n")
    sys.stdout.flush()
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "open":
            answer = str(sum(agent.is_up() for agent in linked))
        else:
            while any(agent.memory.stats().memories < int(line) for agent in linked):
                await asyncio.sleep(_LOOK_S)
            answer = "have"
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    await close(linked)


if __name__ == "__main__":
    more_files()
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
