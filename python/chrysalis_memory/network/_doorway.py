"""The doorway: what a connection passes before anyone speaks with it. First the gate, then TLS.

A handshake of TLS costs both time and memory, and strangers can leave it unfinished. So a connection counts at the gate
from the moment that it is accepted, and whoever may not come in costs no handshake.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from chrysalis_memory.network._gate import Gate

__all__ = ["Doorway", "host_of"]


class Doorway(asyncio.Protocol):
    """Stands before one connection, which hears of its transport when that came through.

    `connection` is the protocol that is to speak; whoever made it calls `left` once it has lost its transport.
    `waiting` holds the doorways in which a handshake is under way: `cut` ends one.
    """

    __slots__ = (
        "_connection",
        "_connection_of",
        "_early",
        "_entered",
        "_gate",
        "_handshake_s",
        "_is_lost",
        "_is_through",
        "_raw",
        "_task",
        "_tls",
        "_waiting",
    )

    _connection: asyncio.Protocol

    def __init__(
        self,
        gate: Gate,
        tls: ssl.SSLContext | None,
        handshake_s: float,
        waiting: set[Doorway],
        connection_of: Callable[[Doorway], asyncio.Protocol],
    ) -> None:
        self._gate = gate
        self._tls = tls
        self._handshake_s = handshake_s
        self._waiting = waiting
        self._entered: str | None = None
        self._early: list[bytes] = []
        self._raw: asyncio.Transport | None = None
        self._is_through = self._is_lost = False
        self._connection_of = connection_of

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket was accepted."""
        self._raw = raw = cast(asyncio.Transport, transport)
        loop, host = asyncio.get_running_loop(), host_of(raw.get_extra_info("peername"))
        if self._gate.enter(host, loop.time()) is not None:
            raw.abort()
            return
        self._entered = host
        if self._tls is None:
            self._hand_over(raw)
        else:
            self._waiting.add(self)
            self._task = loop.create_task(self._shake_hands(loop, raw, self._tls))

    async def _shake_hands(self, loop: asyncio.AbstractEventLoop, raw: asyncio.Transport, tls: ssl.SSLContext) -> None:
        secure: Any = None
        try:
            with suppress(OSError):  # which TLS errors and timeouts are
                secure = await loop.start_tls(raw, self, tls, server_side=True, ssl_handshake_timeout=self._handshake_s)
        finally:
            self._waiting.discard(self)
            if secure is None:
                raw.abort()
                self.left()
        if self._is_lost:
            self.left()
        elif secure is not None:
            self._hand_over(secure)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        self._is_through = True
        self._connection = self._connection_of(self)
        transport.set_protocol(self._connection)
        self._connection.connection_made(transport)
        # What came right behind the handshake was read together with its end.
        for data in self._early:
            self._connection.data_received(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        """Only between the end of the handshake and the handing over, in one turn of the loop."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Before the handing over, or while it was under way."""
        self._is_lost = True
        if self._is_through:
            self._connection.connection_lost(exc)

    def cut(self) -> None:
        """Ends a handshake that is under way."""
        if self._raw is not None:
            self._raw.abort()

    def left(self) -> None:
        """The connection is gone, and its place at the gate free. To be called once or more."""
        if self._entered is not None:
            self._gate.leave(self._entered)
            self._entered = None


def host_of(peer: Any) -> str:
    """The host of a socket's address."""
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""
