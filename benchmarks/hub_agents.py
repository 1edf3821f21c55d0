"""Agents of the hub's benchmarks: real nodes with real stores, many of them in one loop, without a thread for each."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chrysalis_memory import ChrysalisMemory, Config
from chrysalis_memory._core import Node

__all__ = ["Agent", "agents", "close", "store"]

_AT_ONCE = 16
_AGREED_S = 120.0


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

    async def _live(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                for kind, *facts in self._node.step(_now_ms()):
                    await self._do(kind, facts)
                with suppress(asyncio.TimeoutError):
                    self._node.received(1, await asyncio.wait_for(self.connection.recv(), self._pause_s()))

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

    def rest(self) -> None:
        """Lets go of its store and says nothing more; the link stays. So a thousand fit into one process."""
        self.living.cancel()
        self.memory.close()


async def agents(folder: Path, url: str, count: int, *, resting: bool = False) -> list[Agent]:
    """So many of them, linked and agreed with the hub."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> Agent:
        async with room:
            memory = store(folder / f"agent-{number}")
            connection = await connect(url, compression=None, ping_interval=None, max_size=None, proxy=None)
            agent = Agent(memory, connection, url)
            await agent.until_agreed()
            if resting:
                agent.rest()
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
