"""Promotion by rule and schedule: each replica keeps what it created, and nothing of it stops the rest."""

import logging

from chrysalis_memory import ChrysalisMemory, Config
from memory_cases import contents, eventually, files_hold

OFTEN = Config(promotion_interval_s=0.02, access_flush_s=0.02, durability="off")
NEVER = Config(promotion_interval_s=0, access_flush_s=0.02)


def opened(path, config=NEVER, **more):
    return ChrysalisMemory(path, embedder="none", config=config, **more)


def test_what_is_important_enough_is_promoted_by_itself_and_the_rest_fades(tmp_path):
    with opened(tmp_path, OFTEN) as memory:
        kept = memory.create_working_memory("the kiln door sticks", importance=0.7, ttl=3600, metadata={"a": 1})
        memory.create_working_memory("scratch quagga", importance=0.69, ttl=1)
        assert eventually(lambda: memory.get(kept.id).tier == "long_term")
        assert eventually(lambda: memory.stats().memories == 1)
        left = memory.get(kept.id)
        assert (left.expires_at, left.metadata, left.content) == (None, {"a": 1}, "the kiln door sticks")
        assert eventually(lambda: not files_hold(memory, "quagga"))
        assert memory.verify()


def test_it_looks_as_soon_as_the_store_is_open(tmp_path):
    with opened(tmp_path) as memory:
        kept = memory.create_working_memory("important", importance=1)
    with opened(tmp_path, Config(promotion_interval_s=3600, access_flush_s=0.02)) as memory:
        assert eventually(lambda: memory.get(kept.id).tier == "long_term")


def test_an_interval_of_zero_leaves_it_to_the_caller(tmp_path):
    with opened(tmp_path) as memory:
        note = memory.create_working_memory("important", importance=1)
        memory._work()
        assert memory.get(note.id).tier == "working"
        assert contents(memory.promote()) == ["important"]


def test_the_threshold_of_the_schedule_is_the_setting(tmp_path):
    with opened(tmp_path, Config(promotion_threshold=0.2, promotion_interval_s=3600)) as memory:
        memory.create_working_memory("a little", importance=0.3)
        memory.create_working_memory("less", importance=0.1)
        assert contents(memory._promote_own()) == ["a little"]
        assert memory._promote_own() == []


def test_it_is_due_once_in_an_interval(tmp_path):
    with opened(tmp_path, Config(promotion_interval_s=3600, access_flush_s=3600)) as memory:
        memory._promote_if_due()
        late = memory.create_working_memory("late", importance=1)
        memory._promote_if_due()
        assert memory.get(late.id).tier == "working"


def test_of_many_replicas_only_the_one_that_created_a_memory_promotes_it(tmp_path):
    with opened(tmp_path / "a") as a, opened(tmp_path / "b") as b:
        note = a.create_working_memory("important", importance=1)
        a.merge(b)
        assert b.get(note.id).importance == 1
        assert b._promote_own() == []
        assert contents(a._promote_own()) == ["important"]
        a.merge(b)
        assert (b.get(note.id).tier, b.get(note.id).expires_at) == ("long_term", None)
        assert len(b.history(note.id)) == 2


def test_a_replica_that_may_not_write_promotes_nothing_and_says_nothing(tmp_path, caplog):
    with opened(tmp_path / "a", space="team", closed=True) as founder:
        token = founder.invite("reader")
        note = founder.create_working_memory("important", importance=1)
        with opened(tmp_path / "b", invite=token) as reader, caplog.at_level(logging.INFO):
            reader.merge(founder)
            assert reader.get(note.id).tier == "working"
            assert reader._promote_own() == []
            assert caplog.records == []


def test_one_that_is_refused_does_not_keep_the_others_from_being_promoted(tmp_path, monkeypatch):
    with opened(tmp_path) as memory:
        first = memory.create_working_memory("first", importance=1)
        second = memory.create_working_memory("second", importance=1)
        listed = memory._promotable(0.7)
        # Forgotten between the look and the promotion, as another process may.
        memory.forget(first.id)
        monkeypatch.setattr(memory, "_promotable", lambda _: listed)
        assert contents(memory._promote_own()) == ["second"]
        assert memory.get(second.id).tier == "long_term"


def test_a_store_that_can_not_be_written_to_is_no_failure_of_the_background(tmp_path, caplog):
    memory = opened(tmp_path, Config(promotion_interval_s=3600, access_flush_s=3600))
    memory._replica.close()
    memory._promote_if_due()
    assert ["promotion failed" in record.message for record in caplog.records] == [True]
    memory.close()
    memory._promotion_due_s = 0.0
    memory._promote_if_due()
    assert len(caplog.records) == 1


def test_a_memory_of_many_large_parts_is_promoted_whole(tmp_path):
    with opened(tmp_path, OFTEN) as memory:
        note = memory.create_working_memory("large", importance=0.2, ttl=4)
        for part in range(4):
            memory.update(note.id, metadata={f"part{part}": "x" * 60_000})
        memory.update(note.id, importance=0.9)
        assert eventually(lambda: memory.get(note.id).tier == "long_term")
        # Its first words go, and nothing of it is missing.
        assert eventually(lambda: memory.get(note.id).version < 7)
        assert {key: len(value) for key, value in memory.get(note.id).metadata.items()} == {
            f"part{part}": 60_000 for part in range(4)
        }
        assert memory.verify()
