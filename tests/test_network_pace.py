"""Policies at work between real stores: what is held, when it leaves, and what is checked."""

import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

from chrysalis_memory.network import CheckIn, GossipConfig, Lumped, Streaming, SyncConfig
from memory_cases import WITHIN_S, eventually
from network_cases import knows, store

HERE = "127.0.0.1:0"
SPOIL = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as database:
    database.execute("UPDATE operation SET signature = zeroblob(64) WHERE memory IS NOT NULL")
"""
QUICK = SyncConfig(gossip=GossipConfig(anti_entropy_ms=1_000, interval_ms=100))


def address(memory):
    return memory.status().address


def connected(memory):
    return [peer for peer in memory.status().peers if peer.connected]


def received(memory):
    return memory.status().counters.get("received_bytes", 0)


def compared(one, other, times=3):
    """A condition: both have compared notes so often since now. Each comparison brings at least these bytes."""
    since = received(one), received(other)
    return lambda: min(received(one) - since[0], received(other) - since[1]) > 60 * times


def test_what_is_less_important_waits_for_what_is_and_goes_before_it(tmp_path):
    policy = Streaming(importance_min=0.8, interval_s=3_600)
    with (
        store(tmp_path / "a", listen=HERE, sync_config=QUICK) as a,
        store(tmp_path / "b", peers=[address(a)], policy=policy, sync_config=QUICK) as b,
    ):
        assert eventually(lambda: connected(b) and b.status().pending == 0)
        small = b.remember("a small thing", importance=0.3)
        a.remember("from the other side")
        # No recall: its count of uses would be one more operation that is held.
        assert eventually(lambda: b.stats().memories == 2)
        assert eventually(compared(a, b))
        assert (b.status().held, a.stats().memories) == (1, 1)
        assert b.sync_state(small.id) == "pending"
        assert b.status().next_contact > datetime.now(timezone.utc) + timedelta(minutes=50)
        b.remember("the kiln burns", importance=0.9)
        assert eventually(lambda: a.stats().memories == 3)
        assert b.status().held == 0


def test_what_is_less_important_leaves_when_its_time_has_come(tmp_path):
    policy = Streaming(importance_min=0.8, interval_s=1)
    with (
        store(tmp_path / "a", listen=HERE, sync_config=QUICK) as a,
        store(tmp_path / "b", peers=[address(a)], policy=policy, sync_config=QUICK) as b,
    ):
        b.remember("a small thing", importance=0.3)
        assert eventually(lambda: knows(a, "small"))


def test_a_lump_leaves_when_enough_waits_and_the_caller_hangs_up(tmp_path):
    policy = Lumped(interval_s=3_600, batch=10)
    with (
        store(tmp_path / "a", listen=HERE, sync_config=QUICK) as a,
        store(tmp_path / "b", peers=[address(a)], policy=policy, sync_config=QUICK) as b,
    ):
        assert eventually(lambda: b.status().counters.get("contact") == 1)
        assert eventually(lambda: connected(b) == [])
        for number in range(9):
            b.remember(f"small{number}", importance=1.0)
        a.remember("meanwhile")
        assert eventually(lambda: b.status().held == 9)
        assert (a.stats().memories, b.stats().memories) == (1, 9)
        b.remember("small9")
        assert eventually(lambda: a.stats().memories == b.stats().memories == 11)
        assert eventually(lambda: b.status().counters.get("contact") == 2)
        assert eventually(lambda: connected(b) == [])


def test_waiting_for_the_acknowledgement_makes_contact(tmp_path):
    with (
        store(tmp_path / "a", listen=HERE) as a,
        store(tmp_path / "b", peers=[address(a)], policy="lumped") as b,
    ):
        assert eventually(lambda: b.status().counters.get("contact") == 1)
        note = b.remember("now, please")
        b.synced(timeout=WITHIN_S)
        assert (a.get(note.id).content, b.sync_state(note.id)) == ("now, please", "synced")


def test_a_check_in_exchanges_all_and_verifies_what_came(tmp_path):
    with store(tmp_path / "a", listen=HERE) as a:
        for number in range(20):
            a.remember(f"alpha{number}")
        with store(tmp_path / "b", peers=[address(a)], policy=CheckIn(interval_s=1)) as b:
            assert eventually(lambda: b.stats().memories == 20)
            assert eventually(lambda: b.status().counters.get("contact", 0) >= 1)
            b.remember("for the next time")
            assert eventually(lambda: knows(a, "next"))
            assert b.status().last_error is None
            assert "unverified" not in b.status().counters


def test_a_check_in_that_finds_a_signature_damaged_says_so(tmp_path):
    with (
        store(tmp_path / "a", listen=HERE) as a,
        store(tmp_path / "b", peers=[address(a)], policy=CheckIn(interval_s=1)) as b,
    ):
        note = b.remember("said once")
        assert eventually(lambda: knows(a, "once"))
        # Another process, because two libraries of SQLite in one take each other's locks away.
        subprocess.run([sys.executable, "-c", SPOIL, tmp_path / "b" / "chrysalis.db"], check=True, timeout=120)
        # What comes of a memory has all of that memory verified.
        a.update(note.id, content="said otherwise")
        assert eventually(lambda: b.status().counters.get("unverified", 0) >= 1)
        assert "its author did not sign it" in b.status().last_error


@pytest.mark.parametrize("policy", ["streaming", "lumped", "check_in"])
def test_what_was_written_before_leaves_at_once_under_every_policy(tmp_path, policy):
    with store(tmp_path / "b") as b:
        b.remember("written before")
    with store(tmp_path / "a", listen=HERE) as a, store(tmp_path / "b", peers=[address(a)], policy=policy):
        assert eventually(lambda: knows(a, "before"))
