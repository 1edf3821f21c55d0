"""Changes: what is given changes, the rest stays, the old values stay in the history."""

from datetime import datetime, timedelta, timezone

import pytest

from chrysalis_memory import Revision
from memory_cases import contents, found

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)

BEFORE = {
    "tier": "working",
    "memory_type": "observation",
    "scope": "studio",
    "importance": 0.2,
    "confidence": 0.3,
    "thread": "monday",
    "speaker": "Mara",
    "occurred_at": NOON,
    "metadata": {"a": 1, "b": 2},
    "ttl": 3600,
    "valid_from": NOON,
    "valid_until": NOON + timedelta(days=1),
}

CHANGES = [
    ("content", "new words", "new words"),
    ("tier", "long_term", "long_term"),
    ("memory_type", "decision", "decision"),
    ("scope", "", ""),
    ("importance", 0.9, 0.9),
    ("confidence", 1, 1.0),
    ("thread", "tuesday", "tuesday"),
    ("thread", None, None),
    ("speaker", "Ben", "Ben"),
    ("speaker", None, None),
    ("occurred_at", "2026-03-02T12:00:00Z", NOON + timedelta(days=1)),
    ("occurred_at", None, None),
    ("valid_from", None, None),
    ("valid_from", NOON + timedelta(hours=1), NOON + timedelta(hours=1)),
    ("valid_until", None, None),
    ("valid_until", NOON + timedelta(hours=1), NOON + timedelta(hours=1)),
]

FIELDS = ("content", "tags", *(set(BEFORE) - {"ttl"}), "expires_at")


def fields(memory):
    return {name: getattr(memory, name) for name in FIELDS}


@pytest.mark.parametrize(("name", "value", "reads"), CHANGES)
def test_one_change_leaves_everything_else_as_it_was(memory, name, value, reads):
    before = memory.remember("old words", **BEFORE, tags=["kept"])
    after = memory.update(before.id, **{name: value})
    assert fields(after) == fields(before) | {name: reads}
    assert (after.version, after.created_at) == (before.version + 1, before.created_at)
    assert after.updated_at >= before.updated_at
    assert memory.get(before.id) == after


def test_tags_are_added_and_removed(memory):
    note = memory.remember("a", tags=["one", "two"])
    assert memory.update(note.id, add_tags=["three", "two"], remove_tags=["one", "never there"]).tags == (
        "three",
        "two",
    )
    assert memory.update(note.id, add_tags=["one"]).tags == ("one", "three", "two")
    assert memory.update(note.id, remove_tags=["one", "two", "three"]).tags == ()


def test_a_tag_that_is_added_and_removed_at_once_is_there(memory):
    note = memory.remember("a")
    assert memory.update(note.id, add_tags=["x"], remove_tags=["x"]).tags == ("x",)


def test_metadata_changes_key_by_key_and_none_takes_a_key_away(memory):
    note = memory.remember("a", metadata={"keep": 1, "change": 2, "drop": 3})
    after = memory.update(note.id, metadata={"change": [2], "drop": None, "new": {"x": None}})
    assert after.metadata == {"keep": 1, "change": [2], "new": {"x": None}}


def test_a_ttl_can_be_given_taken_and_changed(memory):
    note = memory.remember("a")
    fading = memory.update(note.id, ttl=60)
    assert fading.expires_at - fading.updated_at == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=1))
    assert memory.update(note.id, ttl=timedelta(hours=1)).expires_at > fading.expires_at
    assert memory.update(note.id, content="stays").expires_at is not None
    assert memory.update(note.id, ttl=None).expires_at is None


def test_nothing_given_writes_nothing(memory):
    note = memory.remember("a", tags=["x"], metadata={"a": 1})
    before = memory.stats().operations
    assert memory.update(note.id) == note
    assert memory.update(note.id, content="a", add_tags=["x"], metadata={"a": 1}, thread=None) == note
    assert memory.stats().operations == before


def test_recall_follows_an_update(memory):
    note = memory.remember("the gate opens at seven")
    assert found(memory.recall("gate seven")) == ["the gate opens at seven"]
    memory.update(note.id, content="the door opens at eight")
    assert found(memory.recall("gate")) == []
    assert found(memory.recall("door")) == ["the door opens at eight"]


def test_history_shows_who_did_what_when_in_order(memory):
    note = memory.remember("first", tags=["x"], importance=0.25, metadata={"a": 1})
    memory.update(note.id, content="second", add_tags=["y"], remove_tags=["x"], thread="t")
    last = memory.update(note.id, metadata={"a": None}, occurred_at=NOON)
    first, second, third = memory.history(note.id)
    assert [revision.kind for revision in (first, second, third)] == ["write"] * 3
    assert first.changes["content"] == "first"
    assert first.changes["add_tags"] == ("x",)
    assert first.changes["importance"] == 0.25
    assert first.changes["metadata"] == {"a": 1}
    assert second.changes == {"content": "second", "add_tags": ("y",), "remove_tags": ("x",), "thread": "t"}
    assert third.changes == {"metadata": {"a": None}, "occurred_at": NOON}
    assert first.lamport < second.lamport < third.lamport
    assert {one.author for one in (first, second, third)} == {memory.public_key}
    assert {one.agent_id for one in (first, second, third)} == {"ada"}
    assert (third.fingerprint, third.signature, third.at) == (last.fingerprint, last.signature, last.updated_at)
    assert isinstance(first, Revision)


def test_logical_time_knows_what_came_before(memory):
    first = memory.remember("first")
    second = memory.update(first.id, content="second")
    earlier, later = first.logical_time, second.logical_time
    assert earlier.lamport < later.lamport
    assert earlier.happens_before(later)
    assert not later.happens_before(earlier)
    assert not earlier.happens_before(earlier)
    (log,) = later.vector
    assert earlier.vector[log] < later.vector[log]


def test_edits_of_one_replica_are_never_in_conflict(memory):
    note = memory.remember("a")
    for number in range(5):
        memory.update(note.id, content=f"wording {number}", thread=str(number))
    assert memory.conflicts(note.id) == {}
    assert memory.get(note.id).conflicts == ()
    assert memory.stats().conflicts == 0


def test_links_and_evidence_only_accumulate(memory):
    note, other = memory.remember("a"), memory.remember("b")
    memory.relate(note.id, other)
    memory.relate(note.id, other.id)
    memory.relate(note.id, "elsewhere", kind="parents")
    memory.relate(note.id, other, kind="evidence")
    after = memory.add_evidence(note.id, "a quotation", "https://example.org", other)
    assert (after.related, after.parents) == ((other.id,), ("elsewhere",))
    assert after.evidence == tuple(sorted([other.id, "a quotation", "https://example.org"]))
    before = memory.stats().operations
    assert memory.add_evidence(note.id) == memory.add_evidence(note.id, "a quotation") == after
    assert memory.stats().operations == before


def test_lineage_is_nearest_first_and_names_each_once(memory):
    root = memory.remember("root")
    left, right = memory.remember("left", parents=[root]), memory.remember("right", parents=[root])
    tip = memory.remember("tip", parents=[left, right])
    assert contents(memory.ancestors(tip.id))[-1] == "root"
    assert sorted(contents(memory.ancestors(tip.id))) == ["left", "right", "root"]
    assert contents(memory.descendants(root.id))[-1] == "tip"
    assert sorted(contents(memory.descendants(root.id))) == ["left", "right", "tip"]
    assert memory.ancestors(root.id) == memory.descendants(tip.id) == []


def test_lineage_ends_although_it_runs_in_a_circle(memory):
    one, two, three = (memory.remember(name) for name in ("one", "two", "three"))
    for child, parent in [(one, two), (two, three), (three, one), (one, one)]:
        memory.relate(child.id, parent, kind="parents")
    assert contents(memory.ancestors(one.id)) == ["two", "three"]
    assert contents(memory.descendants(one.id)) == ["three", "two"]


def test_lineage_leads_past_what_is_unknown_here_or_forgotten(memory):
    root = memory.remember("root")
    middle = memory.remember("middle", parents=[root, "not here"])
    tip = memory.remember("tip", parents=[middle])
    assert contents(memory.ancestors(tip.id)) == ["middle", "root"]
    memory.forget(middle.id)
    assert "middle" not in contents(memory.ancestors(tip.id))


def test_a_long_chain_is_walked_to_its_end(memory):
    with memory.batch():
        chain = [memory.remember("0")]
        for number in range(1, 500):
            chain.append(memory.remember(str(number), parents=[chain[-1]]))
    assert contents(memory.ancestors(chain[-1].id)) == [str(number) for number in reversed(range(499))]
