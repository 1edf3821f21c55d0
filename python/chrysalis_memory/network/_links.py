"""The open links of a network: numbered for the node, read with back pressure, dialed and closed as it says."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Any, Final

from chrysalis_memory._core import FRAME_BYTES_MAX
from chrysalis_memory.errors import LinkError
from chrysalis_memory.network import _tls
from chrysalis_memory.network._websocket import WebSocketLink, dial
from chrysalis_memory.network.addresses import Address, is_loopback, read_address
from chrysalis_memory.network.config import SyncConfig

__all__ = ["Links", "Word"]

# Of one link and of all: what was read and no step has dealt with. The node's own bounds lie above.
_LINK_UNREAD_BYTES_MAX: Final = FRAME_BYTES_MAX
_UNREAD_BYTES_MAX: Final = 48 << 20
_BESIDE_BYTES: Final = 256  # what a frame takes here beside its own bytes: empty ones are not for nothing
_ERRORS_MAX: Final = 1_000
_SWEEP_S: Final = 1.0

Word = tuple[Any, ...]
"""What the node is to be told: the name of its method, and the arguments."""


class Links:
    """All links of one network. Belongs to the loop's thread."""

    def __init__(self, config: SyncConfig, tell: Callable[[Word], None]) -> None:
        self._config = config
        self._tell = tell
        self._numbers = count(1)
        self._open: dict[int, WebSocketLink] = {}
        self._unread: Counter[int] = Counter()
        self._unread_bytes = 0
        self._paused: set[int] = set()
        self._dialed: dict[int, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.calling = 0
        self._keys: dict[str, str] = {}
        self._dialing_tls: ssl.SSLContext | None = None
        self._swept_s = 0.0
        self.errors: dict[str, LinkError] = {}
        self.counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def know(self, address: Address) -> None:
        """Remembers which key is believed at an address."""
        if address.key is not None:
            self._keys[address.url] = address.key

    def source(self, number: int) -> str | None:
        """The host at the other end."""
        link = self._open.get(number)
        return None if link is None else link.source

    def dialed(self, number: int | None) -> str | None:
        """The address that was called for this link; None when the other side called."""
        return None if number is None else self._dialed.get(number)

    async def serve(self, link: WebSocketLink, dialed: str | None = None) -> None:
        """Lives as long as the link does."""
        number = next(self._numbers)
        self._open[number] = link
        if dialed is not None:
            self._dialed[number] = dialed
        self.counts["dialed" if dialed else "accepted"] += 1
        trusted = self._keys.get(dialed) if dialed else None
        self._tell(("opened", number, secrets.token_bytes(32), dialed, trusted))
        try:
            await link.frames(lambda frame: self._took(number, frame))
        finally:
            del self._open[number]
            self._dialed.pop(number, None)
            self._paused.discard(number)
            self._tell(("closed", number))

    def _took(self, number: int, frame: bytes) -> None:
        self._unread[number] += len(frame) + _BESIDE_BYTES
        self._unread_bytes += len(frame) + _BESIDE_BYTES
        self.counts["received_bytes"] += len(frame)
        if self._unread[number] >= _LINK_UNREAD_BYTES_MAX or self._unread_bytes >= _UNREAD_BYTES_MAX:
            self._paused.add(number)
            self._open[number].pause()
        self._tell(("received", number, frame))

    def dealt_with(self, words: list[Word]) -> None:
        """A step has dealt with these: who had to wait is read on."""
        for word in words:
            if word[0] == "received":
                self._unread[word[1]] -= len(word[2]) + _BESIDE_BYTES
                self._unread_bytes -= len(word[2]) + _BESIDE_BYTES
                if self._unread[word[1]] <= 0:
                    del self._unread[word[1]]
        for number in [one for one in self._paused if self._unread[one] < _LINK_UNREAD_BYTES_MAX]:
            self._paused.discard(number)
            self._open[number].resume()

    def dial(self, text: str, *, hearsay: bool = False) -> None:
        """Opens a link in the background, or says why not. Hearsay is what peers told of."""
        self._start(self._dial, text, hearsay)

    async def _dial(self, text: str, hearsay: bool) -> None:
        self.calling += 1
        try:
            address = read_address(text, allow_plain=self._config.allow_plain)
            if hearsay and address.path and is_loopback(address.host):
                # What listens here is not for peers to choose requests for.
                raise ValueError("a path on this machine is not taken from others")
            link = await dial(
                address,
                tls=self._tls_context() if address.tls else None,
                open_timeout_s=self._config.open_timeout_s,
                write_bytes_max=self._config.write_bytes_max,
            )
        except (LinkError, ValueError, OSError) as error:
            # A peer's hearsay may be no address at all; the authorities' file may be gone.
            self._failed(text, error)
            return
        finally:
            self.calling -= 1
        self.errors.pop(text, None)
        try:
            await self.serve(link, text)
        finally:
            await link.close()

    def _tls_context(self) -> ssl.SSLContext:
        # Reading the system's authorities takes as long as many handshakes: once.
        if self._dialing_tls is None:
            self._dialing_tls = _tls.dialing(self._config.tls_authorities)
        return self._dialing_tls

    def _failed(self, text: str, error: Exception) -> None:
        if not isinstance(error, LinkError):
            error = LinkError(f"{text} can't be dialed: {error}", code="not_dialed", url=text)
        self.errors[text] = error
        if len(self.errors) > _ERRORS_MAX:
            del self.errors[next(iter(self.errors))]
        self._tell(("unreachable", text))

    def send(self, number: int, frame: bytes) -> None:
        """Sends a frame, if the link is still there."""
        link = self._open.get(number)
        if link is None:
            return
        if link.send(frame):
            self.counts["sent_bytes"] += len(frame)
        else:
            self.counts["slow"] += 1

    def close(self, number: int, code: str, why: str) -> None:
        """Closes a link after what was sent."""
        link = self._open.get(number)
        if link is not None:
            self._start(link.close, code, why)

    def cut(self, number: int) -> None:
        """Ends a link at once."""
        link = self._open.get(number)
        if link is not None:
            link.cut()

    def hang_up(self) -> None:
        """Closes the links that were dialed from here."""
        for number in self._dialed:
            self._start(self._open[number].close)

    def sweep(self, now_s: float) -> None:
        """Ends links whose other side reads nothing of what was sent. Looks at all of them, so not each time."""
        if now_s - self._swept_s < _SWEEP_S:
            return
        self._swept_s = now_s
        for link in list(self._open.values()):
            if link.is_stuck(now_s, self._config.write_timeout_s):
                self.counts["slow"] += 1
                link.cut()

    async def end(self) -> None:
        """Closes all links and waits until they are gone."""
        await asyncio.gather(*(_quietly(link.close) for link in list(self._open.values())))
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _start(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        task = asyncio.get_running_loop().create_task(_quietly(work, *arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _quietly(work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    # Called in here: a task that is cancelled before it began has then made nothing that waits for ever.
    # The other side may be gone at any moment; the link's own reader tells of that.
    with suppress(OSError):
        await work(*arguments)
