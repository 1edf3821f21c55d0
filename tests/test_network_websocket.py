"""Links over WebSocket, by real sockets: frames, back pressure, slow readers, and TLS."""

import asyncio
import os
import socket
import threading
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from chrysalis_memory._core import FRAME_BYTES_MAX
from chrysalis_memory.errors import LinkTimeout, Unreachable
from chrysalis_memory.network import _tls
from chrysalis_memory.network._websocket import dial
from chrysalis_memory.network.addresses import read_address
from network_cases import OUT, WAIT_S, Ends, certificates, listening, needs_openssl, within


async def test_frames_arrive_whole_in_order_and_both_ways():
    ends, back = Ends(), asyncio.Queue()
    frames = [b"", b"a", os.urandom(FRAME_BYTES_MAX), os.urandom(70_000)]
    async with listening(ends) as address:
        link = await dial(address, tls=None, **OUT)
        reading = asyncio.create_task(link.frames(back.put_nowait))
        assert all(link.send(frame) for frame in frames)
        assert [await within(ends.frames.get()) for _ in frames] == frames
        other = await within(ends.links.get())
        assert all(other.send(frame) for frame in frames)
        assert [await within(back.get()) for _ in frames] == frames
        await link.close("enough", "all was said")
        assert (await within(ends.codes.get()), await within(reading)) == ("closed", "closed")


async def test_small_frames_are_sent_at_once():
    ends = Ends()
    async with listening(ends) as address:
        link = await dial(address, tls=None, **OUT)
        other = await within(ends.links.get())
        for end in (link, other):
            end_socket = end._transport.get_extra_info("socket")
            assert end_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        await link.close()


async def test_a_link_that_is_paused_is_not_read_and_its_sender_must_wait():
    ends, frame = Ends(), os.urandom(FRAME_BYTES_MAX)
    async with listening(ends) as address:
        link = await dial(address, tls=None, open_timeout_s=5.0, write_bytes_max=1 << 30)
        other = await within(ends.links.get())
        other.pause()
        for _ in range(64):
            link.send(frame)
        while link.unsent_bytes >= 64 * FRAME_BYTES_MAX:
            await asyncio.sleep(0)
        for _ in range(1_000):  # whatever would still be read is read in these turns of the loop
            await asyncio.sleep(0)
        assert link.unsent_bytes > 32 * FRAME_BYTES_MAX
        assert ends.frames.qsize() <= 2
        other.resume()
        assert [await within(ends.frames.get()) for _ in range(64)] == [frame] * 64
        await link.close()


async def test_what_one_read_brought_waits_in_order_while_a_link_is_paused():
    ends, frames = Ends(), [bytes([number]) * number for number in range(50)]

    async def one_at_a_time(link):
        await ends.links.put(link)

        def take(frame):
            link.pause()
            ends.frames.put_nowait(frame)

        await ends.codes.put(await link.frames(take))

    ends.serve = one_at_a_time
    async with listening(ends) as address:
        link = await dial(address, tls=None, **OUT)
        other = await within(ends.links.get())
        for frame in frames:
            link.send(frame)
        for frame in frames:
            assert await within(ends.frames.get()) == frame
            assert ends.frames.empty()
            other.resume()
        await link.close()


async def test_frames_that_come_before_anyone_takes_them_are_not_lost():
    ends, ready = Ends(), asyncio.Event()

    async def later(link):
        await ready.wait()
        await ends.codes.put(await link.frames(ends.frames.put_nowait))

    ends.serve = later
    async with listening(ends) as address:
        link = await dial(address, tls=None, **OUT)
        for number in range(10):
            link.send(bytes([number]))
        for _ in range(100):
            await asyncio.sleep(0)
        ready.set()
        assert [await within(ends.frames.get()) for _ in range(10)] == [bytes([number]) for number in range(10)]
        await link.close()


async def test_what_everyone_is_told_arrives_at_everyone_however_it_alternates():
    ends, count = Ends(), 5
    frames = [os.urandom(100), b"", os.urandom(200_000), b"short"]
    async with listening(ends) as address:
        links = [await dial(address, tls=None, **OUT) for _ in range(count)]
        others = [await within(ends.links.get()) for _ in range(count)]
        queues = [asyncio.Queue() for _ in range(count)]
        reading = [
            asyncio.create_task(link.frames(queue.put_nowait)) for link, queue in zip(links, queues, strict=True)
        ]
        for frame in (*frames, *frames):
            assert all(other.send(frame) for other in others)
        for queue in queues:
            assert [await within(queue.get()) for _ in range(8)] == [*frames, *frames]
        for link in links:
            await link.close()
        await within(asyncio.gather(*reading))


def test_two_threads_read_at_once_and_mix_nothing_up():
    arrived = {}

    async def exchange(own):
        ends = Ends()
        async with listening(ends) as address:
            link = await dial(address, tls=None, **OUT)
            for number in range(100):
                link.send(bytes([own, number]) * 20_000)
            arrived[own] = [await within(ends.frames.get()) for _ in range(100)]
            await link.close()

    threads = [threading.Thread(target=asyncio.run, args=(exchange(own),)) for own in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    for own in (1, 2):
        assert arrived[own] == [bytes([own, number]) * 20_000 for number in range(100)]


async def test_a_message_in_pieces_is_one_frame():
    ends = Ends()
    async with listening(ends) as address, connect(address.url, proxy=None, compression=None) as stranger:
        await stranger.send([b"in ", b"", b"pie", b"ces"])
        await stranger.send(b"whole")
        assert [await within(ends.frames.get()) for _ in range(2)] == [b"in pieces", b"whole"]


async def test_pieces_beyond_the_bound_end_the_link():
    ends = Ends()
    async with listening(ends) as address, connect(address.url, proxy=None, compression=None) as stranger:
        piece = bytes(FRAME_BYTES_MAX // 2)
        with suppress(ConnectionClosed):
            await stranger.send([piece, piece, b"1"])
        await within(ends.codes.get())
        assert ends.frames.empty()


async def test_who_asks_whether_somebody_is_there_and_reads_no_answer_is_cut_off():
    ends, ping = Ends(), Frame(Opcode.PING, bytes(125)).serialize(mask=True)
    async with listening(ends) as address, connect(address.url, proxy=None, ping_interval=None) as stranger:
        stranger.transport.pause_reading()

        async def ask():
            while ends.codes.empty():
                stranger.transport.write(ping * 1_000)
                await asyncio.sleep(0)

        await within(ask())
        assert ends.codes.get_nowait() == "lost"
        stranger.transport.abort()


async def test_a_reader_that_asks_without_reading_is_cut_off():
    ends = Ends()
    async with listening(ends) as address:
        link = await dial(address, tls=None, **OUT)
        other = await within(ends.links.get())
        link.pause()
        sent = 0
        while other.send(os.urandom(FRAME_BYTES_MAX)):
            sent += 1
            assert sent < 1_000
            await asyncio.sleep(0)
        assert await within(ends.codes.get()) == "lost"
        link.cut()


async def test_a_reader_that_takes_nothing_is_stuck_and_one_that_takes_a_little_is_not():
    ends = Ends()
    async with listening(ends) as address:
        link = await dial(address, tls=None, **OUT)
        other = await within(ends.links.get())
        other.pause()
        for _ in range(8):
            link.send(os.urandom(FRAME_BYTES_MAX))
        while link.unsent_bytes == 0:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [link.is_stuck(now, 30.0) for now in (100.0, 120.0, 129.9)] == [False] * 3
        assert link.is_stuck(130.1, 30.0)
        other.resume()
        for _ in range(8):
            await within(ends.frames.get())
        assert not link.is_stuck(200.0, 30.0)
        await link.close()


async def test_text_is_no_frame():
    ends = Ends()
    async with listening(ends) as address, connect(address.url, proxy=None) as stranger:
        await stranger.send("hello")
        assert await within(ends.codes.get()) == "malformed"
        assert ends.frames.empty()


async def test_a_page_in_a_browser_is_shown_the_door_wherever_it_comes_from():
    ends = Ends()
    async with listening(ends) as address:
        for origin in ("https://page.example", f"http://{address.host}:{address.port}", "null"):
            with pytest.raises(InvalidStatus, match="403"):
                await connect(address.url, origin=origin, proxy=None)
        assert ends.links.empty()
        async with connect(address.url, proxy=None):
            await within(ends.links.get())


async def test_a_frame_beyond_the_bound_ends_the_link():
    ends = Ends()
    async with listening(ends) as address, connect(address.url, proxy=None, compression=None) as stranger:
        await stranger.send(bytes(FRAME_BYTES_MAX + 1))
        await within(ends.codes.get())
        assert ends.frames.empty()
        assert stranger.protocol.state.name != "OPEN" or await within(stranger.wait_closed()) is None


async def test_nobody_there_is_said_with_the_address():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = read_address(f"ws://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(Unreachable, match=address.url) as raised:
            await dial(address, tls=None, **OUT)
        assert raised.value.url == address.url


async def test_who_accepts_and_never_answers_is_given_up():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = read_address(f"ws://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(LinkTimeout):
            await dial(address, tls=None, open_timeout_s=0.2, write_bytes_max=1)


async def test_a_redirect_is_not_followed():
    ends = Ends()

    def elsewhere(connection, _request):
        response = connection.respond(302, "")
        response.headers["Location"] = target.url
        return response

    async with (
        listening(ends) as target,
        serve(lambda _: None, "127.0.0.1", 0, process_request=elsewhere) as server,
    ):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable):
            await dial(read_address(f"ws://127.0.0.1:{port}"), tls=None, **OUT)
        assert ends.links.empty()


@needs_openssl
async def test_tls_is_spoken_where_the_authority_is_believed_and_the_name_fits(tmp_path):
    authority, certificate, key = certificates(tmp_path)
    ends = Ends()
    async with listening(ends, tls=_tls.listening(certificate, key)) as address:
        assert address.url.startswith("wss://127.0.0.1:")
        link = await dial(address, tls=_tls.dialing(authority), **OUT)
        link.send(b"sealed")
        assert await within(ends.frames.get()) == b"sealed"
        assert link._transport.get_extra_info("ssl_object").version() == "TLSv1.3"
        await link.close()


@needs_openssl
async def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path):
    _, certificate, key = certificates(tmp_path)
    async with listening(Ends(), tls=_tls.listening(certificate, key)) as address:
        with pytest.raises(Unreachable, match="certificate is not believed"):
            await dial(address, tls=_tls.dialing(None), **OUT)


@needs_openssl
async def test_a_certificate_for_another_name_is_not_believed(tmp_path):
    authority, certificate, key = certificates(tmp_path)
    async with listening(Ends(), tls=_tls.listening(certificate, key)) as address:
        other = read_address(f"wss://127.0.0.2:{address.port}")
        with pytest.raises(Unreachable):
            await dial(other, tls=_tls.dialing(authority), **OUT)


@needs_openssl
async def test_plain_text_to_a_port_of_tls_gets_nowhere(tmp_path):
    _, certificate, key = certificates(tmp_path)
    async with listening(Ends(), tls=_tls.listening(certificate, key), open_timeout_s=0.5) as address:
        with pytest.raises((Unreachable, LinkTimeout)):
            await dial(read_address(f"ws://127.0.0.1:{address.port}"), tls=None, open_timeout_s=2.0, write_bytes_max=1)
