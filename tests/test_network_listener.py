"""The port on which links arrive, by real sockets: who is turned away, and how it closes."""

import asyncio
import os

import pytest

from chrysalis_memory.errors import Unreachable
from chrysalis_memory.network._gate import Gate
from chrysalis_memory.network._websocket import dial
from network_cases import OUT, UPGRADE, WAIT_S, Ends, listening, within


@pytest.mark.parametrize("rubbish", [b"\x00" * 64, b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\x16\x03\x01"])
async def test_rubbish_instead_of_a_handshake_is_answered_with_the_end(rubbish):
    ends = Ends()
    async with listening(ends, open_timeout_s=0.3) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(rubbish)
        await within(reader.read())
        writer.close()
        assert ends.links.empty()


@pytest.mark.parametrize("rubbish", [b"\xf2\x80\0\0\0\0", b"\x82\x01a", b"\x80\x80\0\0\0\0", b"\x88\x81\0\0\0\0a"])
async def test_rubbish_right_behind_a_handshake_ends_the_link_and_fills_no_log(rubbish):
    ends, mistakes = Ends(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: mistakes.append(about))
    async with listening(ends) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(UPGRADE + rubbish)
        await within(reader.read())
        writer.close()
        link = await dial(address, tls=None, **OUT)
        await link.close()
    assert mistakes == []


async def test_who_says_nothing_is_let_go():
    ends = Ends()
    async with listening(ends, open_timeout_s=0.3) as address:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        await within(reader.read())
        writer.close()


async def test_the_gate_turns_away_before_a_word_is_read_and_lets_in_again():
    ends, gate = Ends(), Gate(links_max=1, links_per_source_max=10, arrivals_per_s=1000)
    async with listening(ends, gate=gate) as address:
        link = await dial(address, tls=None, **OUT)
        with pytest.raises(Unreachable, match=r"as many callers as it takes|reset"):
            await dial(address, tls=None, **OUT)
        await link.close()
        await within(ends.codes.get())
        while gate.open:
            await asyncio.sleep(0)
        link = await dial(address, tls=None, **OUT)
        await link.close()
        assert gate.refused == {"too_many": 1}


async def test_a_port_that_closes_says_good_bye_and_waits_for_no_handshake():
    ends = Ends()
    async with listening(ends, open_timeout_s=WAIT_S) as address:
        link = await dial(address, tls=None, **OUT)
        reading = asyncio.create_task(link.frames(lambda _: None))
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET / HT")
        await within(ends.links.get())
    assert await within(reading) == "closed"
    assert await within(reader.read()) == b""
    writer.close()
