"""The yardstick of the hub: the thinnest WebSocket server that moves the same bytes.

`python -m benchmarks.hub_bare` prints its port. It answers every message with one byte, and passes one that begins with
`!` on to everybody. Nothing is read, checked or kept.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from websockets.asyncio.connection import broadcast
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

ALL = b"!"


async def main() -> None:
    """Serves until it is killed."""
    everybody: set[ServerConnection] = set()

    async def one(connection: ServerConnection) -> None:
        everybody.add(connection)
        try:
            with suppress(ConnectionClosed):
                async for message in connection:
                    if message[:1] == ALL:
                        broadcast(everybody - {connection}, message)
                    else:
                        await connection.send(b".")
        finally:
            everybody.discard(connection)

    async with serve(one, "127.0.0.1", 0, compression=None, ping_interval=None, max_queue=None) as server:
        sys.stdout.write(f"{next(iter(server.sockets)).getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main())
