"""A port on which links arrive: they come through the gate and the doorway, shake hands, and are served."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from chrysalis_memory.network._doorway import Doorway
from chrysalis_memory.network._gate import Gate
from chrysalis_memory.network._websocket import WebSocketLink
from chrysalis_memory.network.addresses import Address, Listen, is_unspecified

__all__ = ["Listener"]

_BACKLOG: Final = 1024  # agents that start together wait here for their turn

_TURNS_TO_THE_DOORWAY: Final = 4
"""Turns of the loop after which what was just accepted has met its doorway, or the gate has turned it away:
one to begin, one to be made known, one to be let go, and one to spare."""

Serve = Callable[[WebSocketLink], Awaitable[None]]


def _on_every_interface(listen: Listen) -> socket.socket:
    """By IPv4, too, where the system has that: the loop would listen by IPv6 alone, and HTTP of a hub by both."""
    both = socket.has_dualstack_ipv6()
    return socket.create_server((listen.host, listen.port), family=socket.AF_INET6, dualstack_ipv6=both)


class Listener:
    """A port on which links arrive. `serve_link` is awaited with each; the connection ends when it returns."""

    _server: asyncio.Server

    def __init__(self, serve_link: Serve, open_timeout_s: float, write_bytes_max: int) -> None:
        self._serve_link = serve_link
        self._open_timeout_s = open_timeout_s
        self._write_bytes_max = write_bytes_max
        self._is_tls = False
        self._doorways: set[Doorway] = set()
        self._links: set[WebSocketLink] = set()
        self._serving: set[asyncio.Task[None]] = set()

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
        listener = cls(serve_link, open_timeout_s, write_bytes_max)
        listener._is_tls = tls is not None

        def doorway() -> Doorway:
            return Doorway(gate, tls, open_timeout_s, listener._doorways, listener._link)

        where: dict[str, Any] = {"host": listen.host, "port": listen.port}
        if is_unspecified(listen.host) and ":" in listen.host:
            where = {"sock": _on_every_interface(listen)}
        loop = asyncio.get_running_loop()
        listener._server = await loop.create_server(doorway, start_serving=False, backlog=_BACKLOG, **where)
        return listener

    async def start(self) -> None:
        """Lets links in."""
        await self._server.start_serving()

    def address(self, host: str) -> Address:
        """Where it listens, under this name."""
        return Address(host, self._server.sockets[0].getsockname()[1], self._is_tls)

    async def close(self) -> None:
        """Lets nobody in any more and ends the links that are open."""
        await self._accept_no_more()
        self._server.close()
        for doorway in list(self._doorways):
            doorway.cut()
        await asyncio.gather(*(link.close() for link in list(self._links)))
        if self._serving:
            await asyncio.wait(list(self._serving))
        await self._server.wait_closed()

    async def _accept_no_more(self) -> None:
        """A server that closes drops what it accepted in this moment, with its socket open: so it goes on until all of
        that has come to its doorway."""
        loop = asyncio.get_running_loop()
        for listening in self._server.sockets:
            with suppress(NotImplementedError):  # the loop of Windows has no readers
                loop.remove_reader(listening.fileno())
        for _ in range(_TURNS_TO_THE_DOORWAY):
            await asyncio.sleep(0)

    def _link(self, doorway: Doorway) -> WebSocketLink:
        """A connection that the gate let in: its handshake begins, and has so long."""
        link = WebSocketLink.answering(
            doorway, write_bytes_max=self._write_bytes_max, opened=self._began, lost=self._ended
        )
        link.end_within(self._open_timeout_s)
        self._links.add(link)
        return link

    def _began(self, link: WebSocketLink) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(link))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, link: WebSocketLink) -> None:
        try:
            await self._serve_link(link)
        finally:
            await link.close()

    def _ended(self, link: WebSocketLink) -> None:
        self._links.discard(link)
        if link.doorway is not None:
            link.doorway.left()
