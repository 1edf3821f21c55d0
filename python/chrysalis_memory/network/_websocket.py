"""Links over WebSocket, both ways: the only file that knows the library.

The library speaks the protocol and does neither input nor output. That is done here, by callbacks of the transport and
without a task, a queue or a buffer for each connection, since a hub holds a thousand. A message of ours is one binary
frame. Compression is the protocol's own, and so is asking whether the other side is still there. What is to be sent
goes straight into the transport's buffer, which is bounded here; what comes is read only while the owner has room.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from chrysalis_memory._core import FRAME_BYTES_MAX
from chrysalis_memory.errors import LinkTimeout, Unreachable
from chrysalis_memory.network._doorway import Doorway, host_of
from chrysalis_memory.network.addresses import Address

__all__ = ["WebSocketLink", "dial"]

_GOING_AWAY: Final = 1001
_NOT_BINARY: Final = 1003
_POLICY: Final = 1008
_REASON_BYTES_MAX: Final = 123  # what a closing frame has room for
_CLOSE_S: Final = 2.0
_READ_BYTES: Final = 64 << 10
_KEPT_BYTES_MAX: Final = 64 << 10

# A browser says which page asks, and asks nobody for leave: any page could call whatever listens on its reader's
# machine, and in an open space that is all that it takes to be a member. Replicas have no pages.
_NO_PAGES: Final = [None]

# Strangers can make it complain as often as they like, so what it says goes nowhere; the runtime counts and tells.
_SILENT: Final = logging.Logger("chrysalis_memory.websockets", logging.CRITICAL + 1)

Owned = Callable[["WebSocketLink"], None]


class _Desk(threading.local):
    """What all connections of one thread share: where bytes are read into, and the frame that was written last."""

    def __init__(self) -> None:
        self.room = memoryview(bytearray(_READ_BYTES))
        self.frame: bytes | None = None
        self.written = b""

    def write(self, frame: bytes) -> bytes:
        """The frame as a server sends it. What a hub tells everyone is written once."""
        if frame is not self.frame:
            written = Frame(Opcode.BINARY, frame).serialize(mask=False)
            if len(frame) > _KEPT_BYTES_MAX:
                return written
            self.frame, self.written = frame, written
        return self.written


_desk: Final = _Desk()


class WebSocketLink(asyncio.BufferedProtocol, asyncio.Protocol):
    """One connection. `opened` and `lost` are called when the handshake succeeded, and when all is over."""

    __slots__ = (
        "_deadline",
        "_has_said_all",
        "_held",
        "_is_over",
        "_is_paused",
        "_is_text",
        "_lost",
        "_opened",
        "_part",
        "_protocol",
        "_stuck",
        "_take",
        "_transport",
        "_waiting",
        "_write_bytes_max",
        "doorway",
    )

    _transport: asyncio.Transport

    def __init__(self, protocol: Protocol, *, write_bytes_max: int, opened: Owned, lost: Owned) -> None:
        self._protocol = protocol
        self._write_bytes_max = write_bytes_max
        self._opened, self._lost = opened, lost
        self._deadline: asyncio.TimerHandle | None = None
        self._take: Callable[[bytes], None] | None = None
        self._held: list[bytes] = []
        self._part: bytearray | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._is_over = self._is_paused = self._is_text = self._has_said_all = False
        self._stuck: tuple[int, float] = (0, 0.0)
        self.doorway: Doorway | None = None

    @classmethod
    def answering(cls, doorway: Doorway, *, write_bytes_max: int, opened: Owned, lost: Owned) -> WebSocketLink:
        """One that the other side opened and that came through this doorway."""
        protocol = ServerProtocol(origins=_NO_PAGES, max_size=FRAME_BYTES_MAX, logger=_SILENT)
        link = cls(protocol, write_bytes_max=write_bytes_max, opened=opened, lost=lost)
        link.doorway = doorway
        return link

    # For the owner.

    @property
    def source(self) -> str:
        """The host at the other end."""
        return host_of(self._transport.get_extra_info("peername"))

    @property
    def unsent_bytes(self) -> int:
        """What waits for the other side to read."""
        return 0 if self._is_gone() else self._transport.get_write_buffer_size()

    def send(self, frame: bytes) -> bool:
        """Sends without waiting. False, and the connection is cut, when too much waits already."""
        if not self._has_room(len(frame)):
            return False
        if self._protocol.state is not State.OPEN or self._transport.is_closing():
            return True
        if self._protocol.side is Side.SERVER:
            self._transport.write(_desk.write(frame))
        else:
            self._protocol.send_binary(frame)
            self._write()
        return True

    async def frames(self, take: Callable[[bytes], None]) -> str:
        """Gives each frame to `take` until the connection ends, and says how it ended."""
        self._take = take
        self._read_on()
        await self._end()
        if self._is_text:
            return "malformed"
        return "closed" if self._protocol.close_rcvd is not None else "lost"

    def pause(self) -> None:
        """Reads no more; the other side will have to wait."""
        self._is_paused = True
        if not self._is_gone():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads on."""
        self._is_paused = False
        self._read_on()

    def is_stuck(self, now_s: float, timeout_s: float) -> bool:
        """Whether nothing of what waits was taken for so long. To be asked now and then."""
        unsent, since_s = self._stuck
        if self.unsent_bytes == 0 or self.unsent_bytes < unsent or unsent == 0:
            self._stuck = (self.unsent_bytes, now_s)
            return False
        return now_s - since_s >= timeout_s

    async def close(self, code: str = "", why: str = "") -> None:
        """Sends what waits, says good-bye, and is gone within two seconds."""
        reason = f"{code}: {why}".encode()[:_REASON_BYTES_MAX].decode(errors="ignore") if code else ""
        self._part_with(_POLICY if code else _GOING_AWAY, reason)
        if self._take is None:
            self._take = _drop
        self.resume()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._end(), _CLOSE_S)
        self.cut()

    def cut(self) -> None:
        """Ends the connection at once."""
        if not self._is_over:
            self._transport.abort()

    def end_within(self, seconds: float | None) -> None:
        """Cuts the connection after so long, whatever was asked before; None: not at all."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.cut)

    # For the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there; the handshake begins."""
        self._transport = cast(asyncio.Transport, transport)
        if isinstance(self._protocol, ClientProtocol):
            self._protocol.send_request(self._protocol.connect())
            self._write()

    def get_buffer(self, _: int) -> memoryview:
        """Where to read into: bytes are taken out at once."""
        return _desk.room

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes were read."""
        self.data_received(bytes(_desk.room[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._protocol.receive_data(data)
        self._write()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._heard(event)
            else:
                self._shake_hands(event)
        if self._protocol.close_expected() and self._deadline is None:
            self.end_within(_CLOSE_S)

    def eof_received(self) -> None:
        """The other side says no more; the transport closes."""
        self._protocol.receive_eof()
        self._write()

    def connection_lost(self, _: Exception | None) -> None:
        """All is over."""
        self._protocol.receive_eof()
        self.end_within(None)
        self._is_over = True
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._lost(self)

    async def _end(self) -> None:
        if not self._is_over:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    def _shake_hands(self, said: Any) -> None:
        if isinstance(said, Request) and isinstance(self._protocol, ServerProtocol):
            self._protocol.send_response(self._protocol.accept(said))
            self._write()
        if self._protocol.state is State.OPEN:
            self.end_within(None)
            self._opened(self)

    def _heard(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT:
            self._is_text = True
            self._part_with(_NOT_BINARY, "text")
        elif frame.opcode is Opcode.BINARY and frame.fin:
            self._give(bytes(frame.data))
        elif frame.opcode is Opcode.BINARY:
            self._part = bytearray(frame.data)
        elif frame.opcode is Opcode.CONT and self._part is not None:
            self._part += frame.data
            if frame.fin:
                whole, self._part = bytes(self._part), None
                self._give(whole)

    def _give(self, frame: bytes) -> None:
        if self._take is None or self._is_paused:
            # Of what one read brought; the next one waits.
            self._held.append(frame)
            if not self._is_gone():
                self._transport.pause_reading()
        else:
            self._take(frame)

    def _read_on(self) -> None:
        held, self._held = self._held, []
        for frame in held:
            self._give(frame)
        if not (self._is_paused or self._held or self._is_gone()):
            self._transport.resume_reading()

    def _part_with(self, code: int, reason: str) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._write()
            self.end_within(_CLOSE_S)
        elif self._protocol.state is State.CONNECTING:
            self.cut()

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            # Rubbish right behind a handshake is found before the handshake is answered: nobody waits for the answer.
            if self._has_said_all or self._transport.is_closing():
                return
            if not data:
                self._write_end()
            elif self._has_room(len(data)):
                self._transport.write(data)

    def _write_end(self) -> None:
        self._has_said_all = True
        if self._transport.can_write_eof():
            with suppress(OSError):
                self._transport.write_eof()
        else:
            self._transport.close()

    def _is_gone(self) -> bool:
        """Whether the transport can be asked nothing more. With Python 3.10, TLS loses its connection a turn of the
        loop before it says so, and whoever asks it then meets an error that would end all links."""
        return self._is_over or self._transport.get_extra_info("socket") is None

    def _has_room(self, more_bytes: int) -> bool:
        """Whether so much more may wait. Who asks without reading is cut off, whatever he asks for."""
        if self.unsent_bytes + more_bytes <= self._write_bytes_max + FRAME_BYTES_MAX:
            return True
        self.cut()
        return False


def _drop(_: bytes) -> None:
    """What still comes while a link is closed that nobody reads."""


async def dial(
    address: Address, *, tls: ssl.SSLContext | None, open_timeout_s: float, write_bytes_max: int
) -> WebSocketLink:
    """Opens a link. Raises `Unreachable` or `LinkTimeout`, which say why.

    It goes where it was sent, and nowhere else: a redirect could lead past the rules on addresses.
    """
    protocol = ClientProtocol(parse_uri(address.url), max_size=FRAME_BYTES_MAX, logger=_SILENT)
    try:
        return await asyncio.wait_for(_call(address, protocol, tls, write_bytes_max), open_timeout_s)
    except (TimeoutError, asyncio.TimeoutError) as error:  # two classes before Python 3.11
        raise LinkTimeout(f"{address.url} did not answer within {open_timeout_s:g} s", url=address.url) from error
    except (OSError, WebSocketException, EOFError) as error:
        raise Unreachable(f"{address.url} can't be reached: {_reason(error)}", url=address.url) from error


async def _call(
    address: Address, protocol: ClientProtocol, tls: ssl.SSLContext | None, write_bytes_max: int
) -> WebSocketLink:
    loop = asyncio.get_running_loop()
    settled: asyncio.Future[None] = loop.create_future()

    def settle(_: WebSocketLink) -> None:
        if not settled.done():
            settled.set_result(None)

    def connection() -> WebSocketLink:
        return WebSocketLink(protocol, write_bytes_max=write_bytes_max, opened=settle, lost=settle)

    more: dict[str, Any] = {"ssl": tls} if address.tls else {}
    _, link = await loop.create_connection(connection, address.host, address.port, **more)
    try:
        await settled
    except BaseException:
        link.cut()
        raise
    if protocol.handshake_exc is not None:
        link.cut()
        raise protocol.handshake_exc
    if protocol.state is State.CLOSED:
        raise EOFError("the connection ended before the handshake did")
    return link


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    if isinstance(error, WebSocketException) and isinstance(error.__cause__, EOFError):
        return "it hung up before it answered; it may have as many callers as it takes"
    return str(error) or type(error).__name__
