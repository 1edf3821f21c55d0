"""What a network does with peers that misbehave on the wire, and with more strangers than it has room for."""

import asyncio
import gc
import os
import socket
import ssl
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.frames import Frame, Opcode

from chrysalis_memory._core import FRAME_BYTES_MAX
from chrysalis_memory.errors import LinkClosed, LinkTimeout
from chrysalis_memory.network import Network, SyncConfig, _runtime
from chrysalis_memory.network._links import Links
from chrysalis_memory.network._websocket import WebSocketLink
from memory_cases import eventually
from network_cases import UPGRADE, certificates, knows, needs_openssl, store

HERE = "127.0.0.1:0"


def address(memory):
    return memory.status().address


def here(memory):
    return "127.0.0.1", int(address(memory).rpartition(":")[2])


async def closed_after(url, frames):
    """Sends these frames over a WebSocket, and waits until the other side ends it."""
    async with connect(url, proxy=None, compression=None, max_size=None) as stranger:
        try:
            for frame in frames:
                await stranger.send(frame)
            while True:
                await asyncio.wait_for(stranger.recv(), 20)
        except ConnectionClosed:
            return


def test_a_network_that_does_not_answer_in_time_says_so(tmp_path, monkeypatch):
    async def never():
        await asyncio.Event().wait()

    with store(tmp_path / "a") as memory:
        network = Network(memory, listen=HERE).start()
        try:
            monkeypatch.setattr(_runtime, "_ASK_S", 0.05)
            with pytest.raises(LinkTimeout, match="did not answer"):
                network._ask(never)
            monkeypatch.undo()
            assert network.status().running
        finally:
            network.stop()


@pytest.mark.parametrize(
    "frames",
    [[b""], [b"\x00"], [b"\xff" * 100], [os.urandom(1000)], [bytes(FRAME_BYTES_MAX)], ["text"], [b"\x81\x00"] * 100],
    ids=["empty", "null", "ones", "random", "large", "text", "many"],
)
async def test_frames_that_are_no_messages_end_the_link_and_nothing_else(tmp_path, frames):
    with store(tmp_path / "a", listen=HERE) as a:
        await closed_after(address(a), frames)
        with store(tmp_path / "b", peers=[address(a)]) as b:
            a.remember("undisturbed")
            assert eventually(lambda: knows(b, "undisturbed"))


def test_empty_frames_that_no_step_has_dealt_with_are_read_no_further_than_others(tmp_path):
    may_step, frame = threading.Event(), Frame(Opcode.BINARY, b"").serialize(mask=True)
    with store(tmp_path / "a", listen=HERE) as a, socket.create_connection(here(a)) as stranger:
        network = a._network
        try:
            stranger.sendall(UPGRADE)
            assert stranger.recv(1_000).startswith(b"HTTP/1.1 101")
            network._steps._thread.submit(may_step.wait)
            stranger.setblocking(False)
            with suppress(BlockingIOError):
                while True:  # until no buffer between the two takes any more
                    stranger.send(frame * 10_000)
            assert eventually(lambda: network._links._paused)
            assert sum(word[0] == "received" for word in network._words) < 20_000
        finally:
            may_step.set()
        with store(tmp_path / "b", peers=[address(a)]) as b:
            a.remember("undisturbed")
            assert eventually(lambda: knows(b, "undisturbed"))


@needs_openssl
def test_strangers_who_vanish_from_tls_in_the_middle_of_a_word_end_no_links_but_their_own(tmp_path):
    authority, certificate, key = certificates(tmp_path)
    config = SyncConfig(tls_certificate=certificate, tls_key=key, arrivals_per_s=10_000)
    believing = SyncConfig(tls_authorities=authority)
    trusting = ssl.create_default_context(cafile=authority)

    def vanish(place):
        with (
            suppress(OSError),
            trusting.wrap_socket(socket.create_connection(place), server_hostname="127.0.0.1") as end,
        ):
            end.sendall(UPGRADE)
            end.recv(500)
            end.sendall(Frame(Opcode.BINARY, b"no message").serialize(mask=True) * 3)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with store(tmp_path / "a", listen=HERE, sync_config=config) as a:
        with ThreadPoolExecutor(8) as strangers:
            list(strangers.map(vanish, [here(a)] * 120))
        with store(tmp_path / "b", peers=[address(a)], sync_config=believing) as b:
            a.remember("undisturbed")
            assert eventually(lambda: knows(b, "undisturbed"))


async def test_who_says_nothing_after_connecting_is_let_go(tmp_path):
    config = SyncConfig(handshakes_max=2)
    with store(tmp_path / "a", listen=HERE, sync_config=config) as a:
        mute = [await connect(address(a), proxy=None) for _ in range(6)]
        ends = [asyncio.create_task(one.wait_closed()) for one in mute]
        done, _ = await asyncio.wait(ends, timeout=30)
        assert len(done) == 6
        with store(tmp_path / "b", peers=[address(a)]) as b:
            a.remember("there is room again")
            assert await asyncio.to_thread(eventually, lambda: knows(b, "room"), 30)


async def test_more_connections_than_allowed_are_turned_away_and_counted(tmp_path):
    with store(tmp_path / "a", listen=HERE, sync_config=SyncConfig(links_per_source_max=3)) as a:
        held = [await connect(address(a), proxy=None) for _ in range(3)]
        with pytest.raises((InvalidMessage, ConnectionClosed, OSError)):
            await connect(address(a), proxy=None)
        assert a.status().counters["too_many_of_source"] == 1
        for one in held:
            await one.close()
        assert eventually(lambda: a.status().counters.get("accepted") == 3)


def test_events_are_told_and_what_a_listener_raises_does_no_harm(tmp_path):
    told = []

    def listen(name, facts):
        told.append((name, dict(facts)))
        raise RuntimeError("a listener of the test's own")

    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b") as b:
        network = Network(b, peers=[address(a)], on_event=listen).start()
        try:
            a.remember("told of")
            assert eventually(lambda: knows(b, "told"))
            assert eventually(lambda: {"ready", "stored", "agreed"} <= {name for name, _ in told})
            assert next(facts for name, facts in told if name == "ready")["key"] == a.public_key
            assert network.counters()["stored"] >= 1
        finally:
            network.stop()
            network.stop()


def test_a_path_on_this_machine_is_not_taken_from_peers(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        told = f"ws://127.0.0.1:{trap.getsockname()[1]}/shut-down"
        announcing = SyncConfig(announce=told)
        with (
            store(tmp_path / "a", listen=HERE) as a,
            store(tmp_path / "b", listen=HERE, peers=[address(a)], sync_config=announcing) as b,
            store(tmp_path / "c", peers=[address(a)]) as c,
        ):
            assert eventually(lambda: c._network.error_of(told) is not None, 60)
            assert "not taken from others" in str(c._network.error_of(told))
            b.remember("the rest goes on")
            assert eventually(lambda: knows(c, "goes on"), 60)
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_what_goes_wrong_on_one_link_ends_that_one_alone(tmp_path, monkeypatch):
    send, broken = WebSocketLink.send, set()

    def send_unless_broken(link, frame):
        if link in broken:
            raise AttributeError("a fault of this link's own")
        return send(link, frame)

    monkeypatch.setattr(WebSocketLink, "send", send_unless_broken)
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        a.remember("before")
        assert eventually(lambda: knows(b, "before"), 60)
        (link,) = a._network._links._open.values()
        broken.add(link)
        a.remember("after")
        assert eventually(lambda: knows(b, "after"), 60)
        assert a.status().last_error == "a fault of this link's own"
        assert list(a._network._links._open.values()) != [link]


def test_a_network_is_started_once_and_says_when_it_is_not_running(tmp_path):
    with store(tmp_path / "a") as a:
        network = Network(a, listen=HERE)
        with pytest.raises(Exception, match="not running"):
            network.status()
        network.start()
        with pytest.raises(ValueError, match="started once"):
            network.start()
        assert network.status().address == network.address
        network.stop()
        with pytest.raises(Exception, match="not running"):
            network.status()


def test_who_asks_while_the_network_ends_is_answered_or_told_so(tmp_path):
    with store(tmp_path / "a") as a, ThreadPoolExecutor(4) as askers:

        def ask_until_told(network):
            with suppress(LinkClosed):
                while network.status().running:
                    pass
                return "ended without a word"
            return "told so"

        for _ in range(20):
            network = Network(a, listen=HERE).start()
            asking = [askers.submit(ask_until_told, network) for _ in range(4)]
            network.stop()
            assert [one.result(timeout=30) for one in asking] == ["told so"] * 4


def test_a_network_that_ends_under_a_rush_of_callers_leaves_no_socket_open(tmp_path):
    def call_until_refused(port):
        with suppress(OSError):
            while True:
                socket.create_connection(("127.0.0.1", port), timeout=30).close()

    with store(tmp_path / "a") as a, ThreadPoolExecutor(3) as callers:
        for _ in range(5):
            network = Network(a, listen=HERE).start()
            port = int(network.address.rpartition(":")[2])
            calling = [callers.submit(call_until_refused, port) for _ in range(3)]
            network.stop()
            assert [one.result(timeout=60) for one in calling] == [None] * 3
    gc.collect()  # what was left open is told of here, and a warning is an error


async def test_a_call_that_the_end_overtakes_leaves_nothing_unawaited():
    links = Links(SyncConfig(), tell=[].append)
    links.dial("ws://127.0.0.1:9")
    await links.end()
    gc.collect()  # what was never awaited is told of here, and a warning is an error
    assert links.calling == 0


def test_addresses_may_come_and_go_while_it_runs(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", listen=HERE) as b:
        assert b.add_peer(address(a))
        b.remember("after adding")
        assert eventually(lambda: knows(a, "adding"))
        assert b.forget_peer(address(a))
        assert b.peers() == []
