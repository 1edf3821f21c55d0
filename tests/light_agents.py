"""Agents that are let in by a hub and then hold their links and nothing else: so many that a whole replica for each
would be a test of this machine. Each has a key and a log of its own, and proves both in the handshake of all agents.

`python light_agents.py FOLDER URL COUNT` is a process of them. It says `linked` when the hub has let all in, and
answers each line of its input with how many links are up.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from chrysalis_memory import Config
from chrysalis_memory._core import Node, Replica

_AT_ONCE = 48
_WITHIN_S = 120.0


def now_ms() -> int:
    return int(time.monotonic() * 1000)


async def let_in(connection: ClientConnection, replica: Replica, url: str) -> None:
    """The handshake: until the hub has let this replica in."""
    node = Node(replica, {"address": None}, secrets.randbits(63))
    node.opened(1, secrets.token_bytes(32), url, None, now_ms())
    while True:
        for kind, *facts in node.step(now_ms()):
            if kind == "send":
                await connection.send(facts[1])
            elif kind == "close":
                raise ConnectionError(f"the hub did not let it in: {facts}")
            elif kind == "event" and facts[0] == "ready":
                return
        with suppress(asyncio.TimeoutError):
            node.received(1, await asyncio.wait_for(connection.recv(), 1.0))


async def drain(connection: ClientConnection) -> None:
    """Reads what the hub pushes: a link that nobody reads is one that the hub ends."""
    with suppress(ConnectionClosed):
        async for _ in connection:
            pass


def opened(folder: Path) -> Replica:
    """A store of its own, which may lose what it keeps."""
    config = Config()
    return Replica(
        str(folder),
        passphrase=None,
        space="bench",
        closed=False,
        invite=None,
        durability="off",
        busy_timeout_ms=int(config.busy_timeout_s * 1000),
        cache_bytes=config.cache_bytes,
        mmap_bytes=config.mmap_bytes,
        payload_bytes_max=config.payload_bytes_max,
    )


async def one(folder: Path, url: str, room: asyncio.Semaphore) -> tuple[ClientConnection, asyncio.Task[None]]:
    async with room:
        replica = opened(folder)
        try:
            connection: Any = await connect(
                url, compression=None, ping_interval=None, max_size=None, proxy=None, open_timeout=_WITHIN_S
            )
            await asyncio.wait_for(let_in(connection, replica, url), _WITHIN_S)
        finally:
            replica.close()
        return connection, asyncio.create_task(drain(connection))


def say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


async def main(folder: Path, url: str, count: int) -> None:
    room = asyncio.Semaphore(_AT_ONCE)
    linked = await asyncio.gather(*(one(folder / str(number), url, room) for number in range(count)))
    say("linked")
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        say(sum(link.state is State.OPEN for link, _ in linked))
    for link, _ in linked:
        link.transport.abort()
    await asyncio.gather(*(reading for _, reading in linked))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
