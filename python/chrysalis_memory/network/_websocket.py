"""Links over WebSocket, both ways: the only file that knows the library.

A message of the protocol is one binary frame. Compression is the protocol's own, and so is asking whether the other
side is still there. What is to be sent goes straight into the transport's buffer, which is bounded here; what comes is
read only while the owner has room for it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection, broadcast
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException

from chrysalis_memory._core import FRAME_BYTES_MAX
from chrysalis_memory.errors import LinkTimeout, Unreachable
from chrysalis_memory.network._doorway import Doorway, host_of
from chrysalis_memory.network._gate import Gate
from chrysalis_memory.network.addresses import Address, Listen

__all__ = ["Listener", "WebSocketLink", "dial"]

_GOING_AWAY: Final = 1001
_NOT_BINARY: Final = 1003
_POLICY: Final = 1008
_REASON_BYTES_MAX: Final = 123  # what a closing frame has room for
_CLOSE_S: Final = 2.0
_BACKLOG: Final = 1024  # agents that start together wait here for their turn

# Strangers can make it complain as often as they like, so what it says goes nowhere; the runtime counts and tells.
_SILENT: Final = logging.Logger("chrysalis_memory.websockets", logging.CRITICAL + 1)

_SHARED: Final[dict[str, Any]] = {
    "compression": None,
    "max_size": FRAME_BYTES_MAX,
    "max_queue": 4,
    "ping_interval": None,
    "close_timeout": _CLOSE_S,
    "logger": _SILENT,
}


class WebSocketLink:
    """One open connection."""

    def __init__(self, connection: Connection, *, write_bytes_max: int) -> None:
        self._connection = connection
        self._write_bytes_max = write_bytes_max
        self._stuck: tuple[int, float] = (0, 0.0)
        self._room = asyncio.Event()
        self._room.set()
        self.source = host_of(connection.remote_address)

    @property
    def unsent_bytes(self) -> int:
        """What waits for the other side to read."""
        return self._connection.transport.get_write_buffer_size()

    def send(self, frame: bytes) -> bool:
        """Sends without waiting. False, and the connection is cut, when too much waits already."""
        if self.unsent_bytes + len(frame) > self._write_bytes_max + FRAME_BYTES_MAX:
            self.cut()
            return False
        broadcast((self._connection,), frame)
        return True

    async def frames(self, take: Callable[[bytes], None]) -> str:
        """Gives each frame to `take` until the connection ends, and says with which code it ended."""
        try:
            while True:
                frame = await self._connection.recv()
                if isinstance(frame, str):
                    await self._connection.close(_NOT_BINARY, "text")
                    return "malformed"
                take(frame)
                await self._room.wait()
        except ConnectionClosed as closed:
            return "closed" if closed.rcvd is not None else "lost"
        except OSError:
            return "lost"

    def pause(self) -> None:
        """Reads no more; the other side will have to wait."""
        self._room.clear()

    def resume(self) -> None:
        """Reads on."""
        self._room.set()

    def is_stuck(self, now_s: float, timeout_s: float) -> bool:
        """Whether nothing of what waits was taken for so long. To be asked now and then."""
        unsent, since_s = self._stuck
        if self.unsent_bytes == 0 or self.unsent_bytes < unsent or unsent == 0:
            self._stuck = (self.unsent_bytes, now_s)
            return False
        return now_s - since_s >= timeout_s

    async def close(self, code: str = "", why: str = "") -> None:
        """Sends what waits, says good-bye, and is gone within two seconds."""
        self._room.set()
        reason = f"{code}: {why}".encode()[:_REASON_BYTES_MAX].decode(errors="ignore") if code else ""
        await self._connection.close(_POLICY if code else _GOING_AWAY, reason)

    def cut(self) -> None:
        """Ends the connection at once."""
        self._room.set()
        self._connection.transport.abort()


Serve = Callable[[WebSocketLink], Awaitable[None]]


class Listener:
    """A port on which links arrive. `serve` is awaited with each; the connection ends when it returns."""

    def __init__(self, server: Server, tls: bool, waiting: set[Doorway]) -> None:
        self._server = server
        self._tls = tls
        self._waiting = waiting

    @classmethod
    async def bind(
        cls,
        listen: Listen,
        *,
        serve_link: Serve,
        gate: Gate,
        tls: ssl.SSLContext | None,
        open_timeout_s: float,
        write_bytes_max: int,
    ) -> Listener:
        """Takes the port, and nobody in yet: see `start`. Raises `OSError` when it can't be had."""

        async def serve_one(connection: ServerConnection) -> None:
            await serve_link(WebSocketLink(connection, write_bytes_max=write_bytes_max))

        waiting: set[Doorway] = set()
        # What it is to make is a protocol of asyncio; TLS is spoken behind the gate, so the library is told of none.
        behind: Any = partial(_behind_doorway, partial(Doorway, gate, tls, open_timeout_s, waiting))
        server = await serve(
            serve_one,
            listen.host,
            listen.port,
            create_connection=behind,
            open_timeout=open_timeout_s,
            server_header=None,
            start_serving=False,
            backlog=_BACKLOG,
            **_SHARED,
        )
        return cls(server, tls is not None, waiting)

    async def start(self) -> None:
        """Lets links in."""
        await self._server.start_serving()

    def address(self, host: str) -> Address:
        """Where it listens, under this name."""
        return Address(host, self._server.sockets[0].getsockname()[1], self._tls)

    async def close(self) -> None:
        """Lets nobody in any more and ends the links that are open."""
        self._server.close()
        for doorway in list(self._waiting):
            doorway.cut()
        await self._server.wait_closed()


class _Behind(ServerConnection):
    """A connection that was let in, and says when it is gone."""

    doorway: Doorway

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.doorway.left()


def _behind_doorway(doorway_of: Callable[..., Doorway], *arguments: Any, **more: Any) -> Doorway:
    def connection_of(doorway: Doorway) -> _Behind:
        connection = _Behind(*arguments, **more)
        connection.doorway = doorway
        return connection

    return doorway_of(connection_of)


class _Direct(connect):
    """Goes where it was sent, and nowhere else: a redirect could lead past the rules on addresses."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def dial(
    address: Address, *, tls: ssl.SSLContext | None, open_timeout_s: float, write_bytes_max: int
) -> WebSocketLink:
    """Opens a link. Raises `Unreachable` or `LinkTimeout`, which say why."""
    more: dict[str, Any] = {"ssl": tls} if address.tls else {}
    opening = _Direct(address.url, proxy=None, user_agent_header=None, open_timeout=open_timeout_s, **more, **_SHARED)
    try:
        connection: ClientConnection = await opening
    except (TimeoutError, asyncio.TimeoutError) as error:  # two classes before Python 3.11
        raise LinkTimeout(f"{address.url} did not answer within {open_timeout_s:g} s", url=address.url) from error
    except (OSError, WebSocketException, EOFError) as error:
        raise Unreachable(f"{address.url} can't be reached: {_reason(error)}", url=address.url) from error
    return WebSocketLink(connection, write_bytes_max=write_bytes_max)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    return str(error) or type(error).__name__
