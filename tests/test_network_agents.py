"""Agents that share one memory over sockets: what one learns the others recall, whatever the line does."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chrysalis_memory import AgentMemory, ChrysalisMemory
from chrysalis_memory.errors import LinkClosed, LinkTimeout, NotAllowed, StoreError, Unreachable
from chrysalis_memory.network import GossipConfig, SyncConfig
from memory_cases import WITHIN_S, begun_since, eventually
from network_cases import certificates, knows, line, needs_openssl, store

__all__ = ["line"]

HERE = "127.0.0.1:0"
QUICK = SyncConfig(gossip=GossipConfig(anti_entropy_ms=1_000, revive_ms=1_000), silence_s=3.0)


def address(memory):
    return memory.status().address


def connected(memory):
    return [peer for peer in memory.status().peers if peer.connected]


def test_what_one_learns_the_other_recalls(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        a.remember("the kiln reaches 1240 degrees")
        b.remember("the glaze dries by noon")
        assert eventually(lambda: knows(b, "kiln") and knows(a, "glaze"))


async def test_what_is_synced_the_other_recalls(tmp_path):
    async with AgentMemory("a", path=tmp_path / "a", embedder="none", listen=HERE) as a:
        url = (await a.status()).address
        async with AgentMemory("b", path=tmp_path / "b", embedder="none", peers=[url]) as b:
            await a.learn("the kiln reaches 1240 degrees")
            await a.synced(timeout=WITHIN_S)
            assert [hit.content for hit in await b.recall("kiln")] == ["the kiln reaches 1240 degrees"]


def test_what_was_written_before_they_met_is_exchanged_both_ways(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b") as b:
        for number in range(300):
            a.remember(f"alpha{number}")
            b.remember(f"beta{number}")
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        assert eventually(lambda: a.stats().memories == b.stats().memories == 600)
        assert knows(a, "beta299")
        assert knows(b, "alpha0")


def test_three_that_know_one_find_each_other(tmp_path):
    with (
        store(tmp_path / "a", listen=HERE, sync_config=QUICK) as a,
        store(tmp_path / "b", listen=HERE, peers=[address(a)], sync_config=QUICK) as b,
        store(tmp_path / "c", listen=HERE, peers=[address(a)], sync_config=QUICK) as c,
    ):
        for memory in (a, b, c):
            memory.remember(f"said by {memory.agent_id}")
        assert eventually(lambda: all(m.stats().memories == 3 for m in (a, b, c)))
        keys = {memory.public_key for memory in (a, b, c)}
        met = lambda memory: {peer.key for peer in connected(memory)} | {memory.public_key}  # noqa: E731
        assert eventually(lambda: met(b) == keys and met(c) == keys)


def test_states_are_local_then_pending_then_synced(tmp_path):
    with store(tmp_path / "a") as a:
        note = a.remember("nobody knows yet")
        assert (note.sync_status, a.sync_state(note.id)) == ("local", "local")
        with store(tmp_path / "b", listen=HERE) as b:
            url = address(b)
            a.sync_once(url, timeout=WITHIN_S)
            assert (note.sync_status, a.get(note.id).sync_status) == ("synced", "synced")
        later = a.remember("written while nobody listens")
        assert (a.sync_state(later.id), a.sync_state(note.id)) == ("pending", "synced")
        status = a.status()
        assert (status.local, status.pending, status.synced) == (0, 1, 2)


def test_status_says_who_is_linked_and_where(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        a.remember("kiln")
        b.synced(timeout=WITHIN_S)
        a.synced(timeout=WITHIN_S)
        assert eventually(lambda: connected(a) and connected(b) and connected(b)[0].agreed)
        there, here = connected(b)[0], connected(a)[0]
        assert (there.key, there.url, there.dialed) == (a.public_key, address(a), True)
        assert (here.key, here.dialed) == (b.public_key, False)
        assert there.last_contact is not None
        assert there.last_error is None
        assert eventually(lambda: connected(a)[0].lag == 0)


def test_work_goes_on_offline_and_is_caught_up_with(tmp_path, line):
    with store(tmp_path / "a", listen=HERE, sync_config=QUICK) as a:
        between = line(address(a))
        with store(tmp_path / "b", peers=[between.url], sync_config=QUICK) as b:
            a.remember("before")
            assert eventually(lambda: knows(b, "before"))
            between.cut()
            assert eventually(lambda: not connected(b))
            for number in range(50):
                a.remember(f"meanwhilea{number}")
                b.remember(f"meanwhileb{number}")
            assert not knows(b, "meanwhilea49")
            between.heal()
            assert eventually(lambda: a.stats().memories == b.stats().memories == 101)


def test_a_line_that_falls_silent_is_noticed_and_dialed_again(tmp_path, line):
    with store(tmp_path / "a", listen=HERE, sync_config=QUICK) as a:
        between = line(address(a))
        with store(tmp_path / "b", peers=[between.url], sync_config=QUICK) as b:
            assert eventually(lambda: connected(b))
            between.silence()
            a.remember("lost on the way")
            assert eventually(lambda: not connected(b))
            between.heal()
            assert eventually(lambda: knows(b, "lost"))


@pytest.mark.parametrize("after", [300, 5_000, 40_000])
def test_damaged_bytes_end_the_link_and_nothing_else(tmp_path, line, after):
    with store(tmp_path / "a", listen=HERE, sync_config=QUICK) as a:
        for number in range(300):
            a.remember(f"gauge{number} " + os.urandom(100).hex())
        between = line(address(a))
        between.corrupt_after = after
        with store(tmp_path / "b", peers=[between.url], sync_config=QUICK) as b:
            assert eventually(lambda: b.stats().memories == 300)
            assert between.corrupt_after is None
            assert b.verify()


@pytest.mark.parametrize("after", [100, 2_000, 30_000, 60_000])
def test_a_cut_at_any_byte_loses_nothing(tmp_path, line, after):
    with store(tmp_path / "a", listen=HERE, sync_config=QUICK) as a:
        for number in range(300):
            a.remember(f"gauge{number} " + os.urandom(100).hex())
        between = line(address(a))
        between.cut_after = after
        with store(tmp_path / "b", peers=[between.url], sync_config=QUICK) as b:
            assert eventually(lambda: between.is_cut)
            between.heal()
            assert eventually(lambda: b.stats().memories == 300)


def test_a_slow_line_is_waited_for(tmp_path, line):
    with store(tmp_path / "a", listen=HERE) as a:
        between = line(address(a))
        between.bytes_per_s = 100_000
        between.delay_s = 0.005
        for number in range(200):
            a.remember(f"gauge{number} " + os.urandom(200).hex())
        with store(tmp_path / "b", peers=[between.url]) as b:
            assert eventually(lambda: b.stats().memories == 200)


@needs_openssl
def test_agents_meet_over_tls(tmp_path):
    authority, certificate, key = certificates(tmp_path)
    serving = SyncConfig(tls_certificate=certificate, tls_key=key)
    calling = SyncConfig(tls_authorities=authority)
    with store(tmp_path / "a", listen=HERE, sync_config=serving) as a:
        assert address(a).startswith("wss://")
        with store(tmp_path / "b", peers=[address(a)], sync_config=calling) as b:
            a.remember("sealed on the way")
            assert eventually(lambda: knows(b, "sealed"))


@needs_openssl
def test_who_is_not_believed_is_told_nothing_and_the_reason_is_shown(tmp_path):
    _, certificate, key = certificates(tmp_path)
    serving = SyncConfig(tls_certificate=certificate, tls_key=key)
    with (
        store(tmp_path / "a", listen=HERE, sync_config=serving) as a,
        store(tmp_path / "b", peers=[address(a)]) as b,
    ):
        b.remember("only for the right ears")
        assert eventually(lambda: "certificate" in (b.status().peers[0].last_error or ""))
        assert a.stats().memories == 0


def test_members_of_a_closed_space_meet_by_a_token_and_strangers_stay_out(tmp_path):
    with store(tmp_path / "a", space="team", closed=True, listen=HERE) as a:
        token = a.invite(urls=[address(a)])
        with store(tmp_path / "b", invite=token, sync=True) as b:
            b.remember("said by a member")
            assert eventually(lambda: knows(a, "member"))
        with store(tmp_path / "b", sync=True) as again:
            again.remember("said without the token")
            assert eventually(lambda: knows(a, "without"))
        with store(tmp_path / "c", space="team") as stranger:
            stranger.remember("let me in")
            with pytest.raises((NotAllowed, LinkClosed)):
                stranger.sync_once(address(a), timeout=WITHIN_S)
        assert a.stats().memories == 2


def test_two_spaces_do_not_mix(tmp_path):
    with store(tmp_path / "a", space="one", listen=HERE) as a, store(tmp_path / "b", space="two") as b:
        a.remember("of one")
        with pytest.raises((NotAllowed, LinkClosed)):
            b.sync_once(address(a), timeout=WITHIN_S)
        assert b.stats().memories == 0


def test_plain_text_and_open_spaces_stay_on_this_machine_unless_told(tmp_path):
    with pytest.raises(ValueError, match="no TLS"), store(tmp_path / "a", listen="0.0.0.0:0"):
        pass
    plain = SyncConfig(allow_plain=True)
    with (
        pytest.raises(ValueError, match="open to whoever"),
        store(tmp_path / "a", listen="0.0.0.0:0", sync_config=plain),
    ):
        pass
    told = SyncConfig(allow_plain=True, allow_open=True)
    with store(tmp_path / "a", listen="0.0.0.0:0", sync_config=told) as a:
        assert address(a).startswith("ws://0.0.0.0:")
    with pytest.raises(ValueError, match="plain text"), store(tmp_path / "a", peers=["ws://192.0.2.1:4444"]):
        pass


def test_several_processes_of_one_store_share_what_comes_and_what_goes(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]):
        with store(tmp_path / "b") as same:
            same.remember("written by a process without links")
        assert eventually(lambda: knows(a, "process"))
        with store(tmp_path / "b", peers=[address(a)]) as second:
            a.remember("for both of them")
            assert eventually(lambda: knows(second, "both"))


def test_synced_says_when_nobody_is_there(tmp_path):
    with store(tmp_path / "a") as a:
        a.remember("alone")
        with pytest.raises(LinkClosed, match="no sync runs"):
            a.synced(timeout=1)
    with store(tmp_path / "a", listen=HERE) as a, pytest.raises(LinkTimeout, match="not acknowledged"):
        a.synced(timeout=0.1)


def test_a_batch_leaves_at_its_end(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        with a.batch():
            for number in range(100):
                a.remember(f"together{number}")
        assert eventually(lambda: b.stats().memories == 100)


def test_every_kind_of_write_leaves(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        one, other = a.remember("one", id="one"), a.remember("other", id="other")
        a.update(one.id, content="one again", add_tags=["t"])
        a.relate(one.id, other)
        a.add_evidence(one.id, "seen")
        a.synced(timeout=WITHIN_S)
        there = b.get("one")
        assert (there.content, there.tags, there.related, there.evidence) == (
            "one again",
            ("t",),
            ("other",),
            ("seen",),
        )
        receipt = a.forget("other", reason="enough")
        assert set(receipt.acknowledged) == {a.public_key}
        a.synced(timeout=WITHIN_S)
        assert b.get("other") is None
        assert eventually(lambda: set(a.receipt("other").acknowledged) == {a.public_key, b.public_key})


WRITER = """
import sys
from chrysalis_memory import ChrysalisMemory
memory = ChrysalisMemory(sys.argv[1], agent_id="writer", embedder="none", peers=[sys.argv[2]])
number = 0
while True:
    memory.remember(f"told{number}")
    print(number, flush=True)
    number += 1
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_an_agent_that_is_killed_in_the_middle_of_a_sync_loses_nothing(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a:
        arguments = [sys.executable, "-c", WRITER, str(tmp_path / "b"), address(a)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as writer:
            told = [writer.stdout.readline() for _ in range(40)]
            writer.send_signal(signal.SIGKILL)
            told += writer.stdout.readlines()
        last = max(int(line) for line in told if line.strip())
        with store(tmp_path / "b", peers=[address(a)]) as b:
            assert b.verify()
            assert b.stats().memories >= last + 1
            assert eventually(lambda: a.stats().memories == b.stats().memories)
            assert a.verify()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_forks_leaves_its_links_to_the_parent(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        assert eventually(lambda: connected(b))
        child = os.fork()
        if child == 0:
            os._exit(_in_the_child(b))
        assert os.waitpid(child, 0)[1] == 0
        a.remember("after the fork")
        assert eventually(lambda: knows(b, "fork"))


def _in_the_child(memory):
    try:
        memory.status()
    except StoreError as error:
        memory.close()
        return 0 if error.code == "forked" else 2
    return 1


def test_closing_leaves_no_threads_behind(tmp_path):
    before = set(threading.enumerate())
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        assert eventually(lambda: connected(b))
    assert begun_since(before) == []


def test_a_memory_that_nobody_holds_any_more_ends_its_links(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a:
        dropped = ChrysalisMemory(tmp_path / "b", embedder="none", peers=[address(a)])
        assert eventually(lambda: connected(a))
        del dropped
        assert eventually(lambda: not connected(a))


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Exception, match="can't listen") as raised, store(tmp_path / "a", listen=where):
            pass
        assert raised.value.code == "cannot_listen"


def test_strangers_that_speak_rubbish_do_no_harm(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)]) as b:
        host, _, port = address(a).rpartition("//")[2].rpartition(":")
        for rubbish in (b"\x00" * 100, os.urandom(5_000), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=10) as stranger:
                stranger.sendall(rubbish)
        a.remember("undisturbed")
        assert eventually(lambda: knows(b, "undisturbed"))


def test_nobody_there_is_said_at_once_by_sync_once(tmp_path):
    with store(tmp_path / "a") as a:
        with pytest.raises(Unreachable):
            a.sync_once("ws://127.0.0.1:1", timeout=WITHIN_S)
        with pytest.raises(ValueError, match="no address"):
            a.sync_once(str(Path("nowhere")))


def test_sync_once_exchanges_all_reports_and_hangs_up(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b") as b:
        for number in range(100):
            a.remember(f"alpha{number}")
            b.remember(f"beta{number}")
        report = b.sync_once(address(a), timeout=WITHIN_S)
        assert (report.key, report.stored, report.acknowledged) == (a.public_key, 101, True)
        assert report.sent_bytes > 1_000
        assert a.stats().memories == b.stats().memories == 200
        again = b.sync_once(address(a), timeout=WITHIN_S)
        assert (again.stored, again.acknowledged) == (0, True)
        assert eventually(lambda: not connected(a))
