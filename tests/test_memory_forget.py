"""Forgetting: the words are gone, the headers stay, the id is dead; and what fades by itself."""

from datetime import datetime, timedelta, timezone

import pytest

from chrysalis_memory import ChrysalisMemory, Config, NotAllowed, NotFound
from memory_cases import contents, eventually, files_hold, found

SECRET = "the alarm code is xyzzy7734"

MILLISECOND = timedelta(milliseconds=1)

# Long enough to be promoted in, as nothing waits for the disk.
FLEETING = Config(working_ttl_s=2, access_flush_s=0.05, durability="off")


def test_what_is_forgotten_is_gone_from_every_answer(memory):
    kept = memory.remember("the alarm is tested on Mondays")
    note = memory.remember(SECRET, tags=["alarm"], parents=[kept])
    assert memory.recall("xyzzy7734")[0].memory == note
    receipt = memory.forget(note.id, reason="a secret")
    assert receipt.to_dict() == {
        "id": note.id,
        "forgotten": True,
        "operations": 1,
        "acknowledged": [memory.public_key],
        "pending": [],
    }
    assert memory.get(note.id) is None
    assert memory.get_many([kept.id, note.id]) == [kept, None]
    assert (memory.list(), memory.range(None, None), memory.list(tags=["alarm"])) == ([kept], [kept], [])
    assert found(memory.recall("xyzzy7734 code")) == []
    assert found(memory.recall("alarm")) == ["the alarm is tested on Mondays"]
    assert memory.descendants(kept.id) == []
    assert (memory.stats().memories, memory.stats().forgotten) == (1, 1)


def test_no_file_of_the_store_holds_the_words_afterwards(memory):
    note = memory.remember(SECRET, metadata={"kept": "plugh9981"}, tags=["frotz5512"], speaker="Zork4410")
    memory.update(note.id, content="the new code is nosuch1177")
    memory.recall("xyzzy7734 nosuch1177")
    memory.flush()
    words = ["xyzzy7734", "nosuch1177", "plugh9981", "frotz5512", "Zork4410"]
    assert all(files_hold(memory, word) for word in words)
    assert memory.forget(note.id).operations == 2
    assert {word: files_hold(memory, word) for word in words} == {word: [] for word in words}


def test_the_history_keeps_headers_and_no_words(memory):
    note = memory.remember(SECRET)
    memory.update(note.id, content="xyzzy")
    memory.forget(note.id, reason="a secret")
    history = memory.history(note.id)
    forgets = [revision for revision in history if revision.kind == "forget"]
    assert [revision.changes for revision in forgets] == [{"reason": "a secret", "withdrawn": False}]
    assert all(revision.changes == {} for revision in history if revision.kind != "forget")
    assert "xyzzy" not in repr(history)
    assert memory.verify()


def test_a_forgotten_id_is_dead(memory):
    note = memory.remember(SECRET, id="note")
    memory.forget(note.id)
    with pytest.raises(NotAllowed) as caught:
        memory.remember("again", id="note")
    assert caught.value.hint
    for call in [memory.update, memory.forget, memory.conflicts, memory.ancestors, memory.promote]:
        with pytest.raises(NotFound):
            call(["note"] if call == memory.promote else "note")
    assert memory.get("note") is None
    assert memory.remember(SECRET).content == SECRET


def test_what_is_withdrawn_is_refused_under_any_id(memory):
    note = memory.remember(SECRET)
    memory.forget(note.id, withdraw=True)
    for dead in [None, "another"]:
        with pytest.raises(NotAllowed):
            memory.remember(SECRET, id=dead)
    with pytest.raises(NotAllowed):
        memory.remember_many([{"content": "fine"}, {"content": SECRET}])
    assert memory.remember(SECRET + "!").content == SECRET + "!"
    assert memory.stats().memories == 1


def test_what_is_withdrawn_goes_wherever_it_stands(memory):
    first, second = memory.remember(SECRET), memory.remember(SECRET)
    memory.forget(first.id, withdraw=True)
    assert memory.get(second.id) is None
    assert files_hold(memory, "xyzzy7734") == []


def test_forgetting_survives_opening_again(tmp_path):
    with ChrysalisMemory(tmp_path) as memory:
        memory.forget(memory.remember(SECRET, id="note").id, withdraw=True)
    with ChrysalisMemory(tmp_path) as memory:
        assert memory.get("note") is None
        for dead in ["note", None]:
            with pytest.raises(NotAllowed):
                memory.remember(SECRET, id=dead)
        assert memory.verify()


def test_a_memory_in_hand_still_reads_after_it_was_forgotten(memory):
    note = memory.remember(SECRET)
    memory.forget(note.id)
    assert note.content == SECRET
    assert note.to_dict()["content"] == SECRET


def test_what_is_past_its_time_is_in_no_answer_and_then_in_no_file(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none", config=Config(access_flush_s=0.05)) as memory:
        memory.remember("the alarm is tested", ttl=3600)
        note = memory.remember(SECRET, ttl=1)
        assert found(memory.recall("tested")) == ["the alarm is tested"]
        assert eventually(lambda: memory.get(note.id) is None)
        assert contents(memory.list()) == ["the alarm is tested"]
        assert found(memory.recall("xyzzy7734")) == []
        assert eventually(lambda: files_hold(memory, "xyzzy7734") == [])
        assert memory.verify()
        with pytest.raises(NotFound):
            memory.update(note.id, content="late")


def test_working_memories_fade_and_long_term_ones_stay(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none", config=Config(working_ttl_s=1, access_flush_s=0.05)) as memory:
        called = datetime.now(timezone.utc)
        working = memory.create_working_memory("scratch")
        own = memory.create_working_memory("own time", ttl=3600)
        answered = datetime.now(timezone.utc)
        lasting = memory.create_episodic_memory("lasting")
        for note, ttl in ((working, timedelta(seconds=1)), (own, timedelta(hours=1))):
            assert called - MILLISECOND <= note.expires_at - ttl <= answered
        assert lasting.expires_at is None
        assert eventually(lambda: memory.get(working.id) is None)
        assert set(contents(memory.list())) == {"own time", "lasting"}


def test_promoting_keeps_a_working_memory_whole(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none", config=FLEETING) as memory:
        note = memory.create_working_memory("keep me", tags=["x"], metadata={"a": 1}, importance=0.9)
        (kept,) = memory.promote([note.id])
        faded = memory.create_working_memory("let me go")
        assert (kept.tier, kept.expires_at, kept.tags, kept.metadata) == ("long_term", None, ("x",), {"a": 1})
        assert eventually(lambda: memory.get(faded.id) is None)
        for _ in range(2):
            later = memory.get(note.id)
            assert (later.tier, later.expires_at, later.tags, later.metadata) == ("long_term", None, ("x",), {"a": 1})
            memory.rebuild()
        assert found(memory.recall("keep me")) == ["keep me"]
        assert memory.verify()


def test_promote_takes_what_is_important_enough_in_its_scope(memory):
    for words, importance, scope in [("a", 0.9, "x"), ("b", 0.7, "x/y"), ("c", 0.69, "x"), ("d", 1, "z")]:
        memory.create_working_memory(words, importance=importance, scope=scope)
    memory.remember("long", importance=1, scope="x")
    assert contents(memory.promote(scope="x")) == ["a", "b"]
    assert memory.promote(scope="x") == []
    assert contents(memory.promote(threshold=0.5)) == ["c", "d"]
    assert memory.stats().working == 0


def test_the_threshold_of_promotion_is_a_setting(tmp_path):
    with ChrysalisMemory(tmp_path, config=Config(promotion_threshold=0.2)) as memory:
        memory.create_working_memory("a", importance=0.3)
        assert contents(memory.promote()) == ["a"]


def test_promoting_nothing_promotes_nothing(memory):
    memory.create_working_memory("a", importance=1)
    assert memory.promote([]) == []
    assert memory.stats().working == 1


def test_promote_names_what_is_not_there(memory):
    with pytest.raises(NotFound):
        memory.promote(["unknown"])


def test_episodic_memories_by_type_importance_and_proof(memory):
    memory.create_episodic_memory("old", importance=0.9)
    memory.create_episodic_memory("skill", memory_type="skill", importance=0.8)
    memory.create_episodic_memory("low", importance=0.1)
    memory.create_working_memory("working", importance=1)
    assert contents(memory.get_episodic_memories()) == ["low", "skill", "old"]
    assert contents(memory.get_episodic_memories(memory_type="skill")) == ["skill"]
    assert contents(memory.get_episodic_memories(min_importance=0.5, verified_only=True)) == ["skill", "old"]
    assert contents(memory.get_episodic_memories(limit=1)) == ["low"]


def test_what_is_withdrawn_is_refused_as_an_edit_too(memory):
    memory.forget(memory.remember("secret").id, withdraw=True)
    note = memory.remember("harmless", id="note")
    with pytest.raises(NotAllowed):
        memory.update("note", content="secret", add_tags=["lost"])
    assert memory.get("note") == note


def test_a_promoted_memory_keeps_the_time_it_was_created_at(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none", config=FLEETING) as memory:
        note = memory.create_working_memory("keep me")
        (kept,) = memory.promote([note.id])
        assert eventually(lambda: memory.get(note.id).version == 1)
        assert memory.get(note.id).created_at == kept.created_at == note.created_at
