"""The doorway, by real sockets: what counts at the gate while TLS is not finished, and that it comes free again."""

import asyncio
import ssl

import pytest

from chrysalis_memory.network import _tls
from chrysalis_memory.network._doorway import Doorway
from chrysalis_memory.network._gate import Gate
from network_cases import WAIT_S, certificates, needs_openssl


class Echo(asyncio.Protocol):
    """Says back what it hears, and that it is gone."""

    def __init__(self, doorway, ends):
        self.doorway, self.ends = doorway, ends

    def connection_made(self, transport):
        self.transport = transport
        self.ends["made"] += 1

    def data_received(self, data):
        self.transport.write(data)

    def connection_lost(self, _):
        self.ends["lost"] += 1
        self.doorway.left()


class Port:
    """A port with doorways, until it is closed."""

    def __init__(self, tls=None, handshake_s=WAIT_S, links_max=2):
        self.gate = Gate(links_max=links_max, links_per_source_max=100, arrivals_per_s=1_000)
        self.tls, self.handshake_s, self.waiting = tls, handshake_s, set()
        self.ends = {"made": 0, "lost": 0}

    async def __aenter__(self):
        def doorway():
            return Doorway(self.gate, self.tls, self.handshake_s, self.waiting, lambda door: Echo(door, self.ends))

        self.server = await asyncio.get_running_loop().create_server(doorway, "127.0.0.1", 0)
        self.at = ("127.0.0.1", self.server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for doorway in list(self.waiting):
            doorway.cut()
        await asyncio.wait_for(self.server.wait_closed(), WAIT_S)


async def until(holds):
    async def wait():
        while not holds():
            await asyncio.sleep(0)

    await asyncio.wait_for(wait(), WAIT_S)


async def said_back(reader, writer):
    writer.write(b"hello")
    await writer.drain()
    return await asyncio.wait_for(reader.readexactly(5), WAIT_S)


async def ends(reader):
    """Whether the other side closes the connection."""
    try:
        return await asyncio.wait_for(reader.read(), WAIT_S) == b""
    except OSError:
        return True


def server_tls(tmp_path):
    authority, certificate, key = certificates(tmp_path)
    return _tls.dialing(authority), _tls.listening(certificate, key)


async def test_without_tls_a_connection_is_let_through_and_counted_until_it_is_gone():
    async with Port() as port:
        reader, writer = await asyncio.open_connection(*port.at)
        assert await said_back(reader, writer) == b"hello"
        assert (port.gate.open, port.ends["made"]) == (1, 1)
        writer.close()
        await until(lambda: port.gate.open == 0)
        assert port.ends == {"made": 1, "lost": 1}


@needs_openssl
async def test_a_connection_that_finished_tls_speaks_and_is_counted_until_it_is_gone(tmp_path):
    client, server = server_tls(tmp_path)
    async with Port(server) as port:
        reader, writer = await asyncio.open_connection(*port.at, ssl=client)
        assert await said_back(reader, writer) == b"hello"
        assert isinstance(writer.get_extra_info("ssl_object"), ssl.SSLObject)
        assert (port.gate.open, port.waiting) == (1, set())
        writer.close()
        await until(lambda: port.gate.open == 0)
        assert port.ends == {"made": 1, "lost": 1}


@needs_openssl
async def test_handshakes_of_tls_that_are_not_finished_count_at_the_gate_and_others_are_turned_away(tmp_path):
    client, server = server_tls(tmp_path)
    async with Port(server, links_max=2) as port:
        silent = [await asyncio.open_connection(*port.at) for _ in range(2)]
        await until(lambda: len(port.waiting) == 2)
        assert port.gate.open == 2
        with pytest.raises(OSError):  # noqa: PT011 - cut, wherever the handshake is
            await asyncio.wait_for(asyncio.open_connection(*port.at, ssl=client), WAIT_S)
        assert (port.gate.refused, port.ends["made"]) == ({"too_many": 1}, 0)
        for _, writer in silent:
            writer.close()
        await until(lambda: port.gate.open == 0)
        reader, writer = await asyncio.open_connection(*port.at, ssl=client)
        assert await said_back(reader, writer) == b"hello"
        writer.close()
        await until(lambda: port.gate.open == 0)


@needs_openssl
async def test_a_handshake_that_takes_too_long_or_is_rubbish_gives_its_place_back(tmp_path):
    _, server = server_tls(tmp_path)
    async with Port(server, handshake_s=0.2) as port:
        silent, waiting = await asyncio.open_connection(*port.at)
        rubbish, speaking = await asyncio.open_connection(*port.at)
        speaking.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await ends(silent)
        speaking.write_eof()
        await asyncio.wait_for(rubbish.read(), WAIT_S)
        await until(lambda: port.gate.open == 0)
        assert (port.ends["made"], port.waiting) == (0, set())
        for writer in (waiting, speaking):
            writer.close()


@needs_openssl
async def test_closing_waits_for_no_handshake(tmp_path):
    _, server = server_tls(tmp_path)
    async with Port(server) as port:
        reader, writer = await asyncio.open_connection(*port.at)
        await until(lambda: len(port.waiting) == 1)
    assert await ends(reader)
    writer.close()
    await until(lambda: port.gate.open == 0)
