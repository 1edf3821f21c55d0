"""What the tests of networks share: a line of ours that fails in every way lines fail, and certificates."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.network._gate import Gate
from chrysalis_memory.network._listener import Listener
from chrysalis_memory.network.addresses import Listen
from memory_cases import UNHURRIED

PIECE_BYTES = 4096
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
WAIT_S = 60.0
OUT = {"open_timeout_s": WAIT_S, "write_bytes_max": 8 << 20}
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")


class Line:
    """A TCP proxy between two replicas. What happens to bytes under way may be set at any time, from any thread."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition("//")[2].rpartition(":")
        self._target = (host, int(port))
        self.is_cut = False
        self.is_silent = False
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self.corrupt_after: int | None = None
        self.cut_after: int | None = None
        self.passed = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="line")
        self._thread.start()
        assert self._ready.wait(WAIT_S), "the line did not begin"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Ends every connection and lets nobody through until `heal`."""
        self.is_cut = True
        self._loop.call_soon_threadsafe(self._drop)

    def heal(self) -> None:
        self.is_cut = self.is_silent = False
        self.delay_s = self.bytes_per_s = 0.0
        self.corrupt_after = self.cut_after = None

    def silence(self) -> None:
        """Half open: connections stay, and nothing passes, as when the other machine lost its power."""
        self.is_silent = True

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _drop(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _live(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        self._drop()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        try:
            await self._connect(reader, writer)
        finally:
            self._tasks.discard(asyncio.current_task())

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        finally:
            for end in (writer, far_writer):
                self._writers.discard(end)
                end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                await self._hinder(len(piece))
                if self.is_silent:
                    continue
                writer.write(self._damaged(piece))
                await writer.drain()
                self.passed += len(piece)
                if self.cut_after is not None and self.passed >= self.cut_after:
                    self.cut_after, self.is_cut = None, True
                    self._drop()
        writer.transport.abort()

    async def _hinder(self, size: int) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.bytes_per_s:
            await asyncio.sleep(size / self.bytes_per_s)

    def _damaged(self, piece: bytes) -> bytes:
        if self.corrupt_after is None or self.passed < self.corrupt_after:
            return piece
        self.corrupt_after = None
        middle = len(piece) // 2
        return piece[:middle] + bytes([piece[middle] ^ 0x40]) + piece[middle + 1 :]


@pytest.fixture
def line() -> Iterator[type[Line]]:
    made: list[Line] = []

    def make(target: str) -> Line:
        made.append(Line(target))
        return made[-1]

    yield make
    for one in made:
        one.close()


@contextmanager
def store(path: Path, **more: object) -> Iterator[ChrysalisMemory]:
    settings: dict[str, Any] = {"embedder": "none", "config": UNHURRIED, **more}
    with ChrysalisMemory(path, agent_id=path.name, **settings) as memory:
        yield memory


def knows(memory: ChrysalisMemory, *words: str) -> bool:
    """Whether it recalls each of these words first."""
    found = [memory.recall(f'"{word}"') for word in words]
    return all(len(hits) > 0 and word in hits[0].content for hits, word in zip(found, words, strict=True))


def certificates(folder: Path, *addresses: str) -> tuple[str, str, str]:
    """An authority of the test's own, and the certificate and key that it gave to `localhost`, 127.0.0.1 and these."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    names = folder / "names"
    names.write_text(
        "subjectAltName=DNS:localhost," + ",".join(f"IP:{one}" for one in ("127.0.0.1", *addresses)) + "\n"
    )
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    openssl("req", *curve, "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=localhost")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2")
    openssl("x509", "-req", "-in", "host.csr", *signing, "-out", "host.pem")
    return str(folder / "ca.pem"), str(folder / "host.pem"), str(folder / "host.key")


async def within(awaitable):
    return await asyncio.wait_for(awaitable, WAIT_S)


class Ends:
    """Collects the links that arrive, and what comes over them."""

    def __init__(self):
        self.links = asyncio.Queue()
        self.frames = asyncio.Queue()
        self.codes = asyncio.Queue()

    async def serve(self, link):
        await self.links.put(link)
        await self.codes.put(await link.frames(self.frames.put_nowait))


@asynccontextmanager
async def listening(ends, tls=None, gate=None, open_timeout_s=WAIT_S):
    gate = gate or Gate(links_max=100, links_per_source_max=100, arrivals_per_s=1000)
    listener = await Listener.bind(
        Listen("127.0.0.1", 0),
        serve_link=ends.serve,
        gate=gate,
        tls=tls,
        open_timeout_s=open_timeout_s,
        write_bytes_max=8 << 20,
    )
    await listener.start()
    try:
        yield listener.address("127.0.0.1")
    finally:
        await within(listener.close())
