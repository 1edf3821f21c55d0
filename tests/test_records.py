"""Records and times: plain data that goes to JSON and back."""

import json
import pickle
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chrysalis_memory import records
from chrysalis_memory.records import (
    Conflict,
    Hit,
    ImportProblem,
    ImportReport,
    MemoryType,
    Outcome,
    Problem,
    Recall,
    Revision,
    Tier,
    Verification,
    duration_to_ms,
    from_ms,
    iso,
    to_ms,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
NOON_MS = 1772366400000


def test_the_usual_types_are_text():
    assert {str(kind) for kind in MemoryType} == {
        "episodic",
        "semantic",
        "procedural",
        "observation",
        "knowledge",
        "preference",
        "decision",
        "skill",
        "bead",
    }
    assert json.dumps(MemoryType.BEAD) == '"bead"'
    assert f"{Tier.LONG_TERM}" == "long_term"


def test_any_other_text_is_a_type_and_leaves_the_usual_ones_alone():
    other = MemoryType("recipe")
    assert (other, str(other), hash(other)) == ("recipe", "recipe", hash("recipe"))
    assert pickle.loads(pickle.dumps(other)) == other
    assert len(MemoryType) == 9


@pytest.mark.parametrize("wrong", ["", 7, None])
def test_a_type_is_text_and_not_empty(wrong):
    with pytest.raises(ValueError, match="MemoryType"):
        MemoryType(wrong)


@pytest.mark.parametrize("wrong", ["short_term", ""])
def test_there_are_two_tiers_only(wrong):
    with pytest.raises(ValueError, match="Tier"):
        Tier(wrong)


def test_a_recall_is_a_sequence_of_hits():
    hits = tuple(Hit(memory=f"m-{i}", score=1 - i / 10, why="words") for i in range(3))
    recall = Recall(hits, Outcome(False, ("2 memories have no vector yet",)))
    assert list(recall) == list(hits)
    assert recall[0] is hits[0]
    assert recall[1:] == hits[1:]
    assert len(recall) == 3
    assert hits[2] in recall
    assert not Recall()


def test_a_verification_is_true_when_nothing_is_wrong():
    assert Verification(operations=4, memories=2)
    assert not Verification(4, 2, (Problem("bad_signature", "operation 3", "altered"),))


def test_to_dict_reaches_every_depth_and_goes_to_json():
    revision = Revision("f" * 96, "a" * 64, "scribe", NOON, 7, "write", {"tags": ("x",), "at": NOON}, "current", "s")
    assert json.loads(json.dumps(revision.to_dict()))["changes"] == {"tags": ["x"], "at": "2026-03-01T12:00:00.000Z"}
    report = ImportReport(2, 1, 0, (ImportProblem("notes.jsonl", 3, "no content"),))
    assert report.to_dict() == {
        "read": 2,
        "added": 1,
        "unchanged": 0,
        "failed": [{"file": "notes.jsonl", "line": 3, "what": "no content"}],
    }
    assert Conflict({"a": {1}}, "k", NOON, "f").to_dict()["value"] == {"a": [1]}


def test_records_cannot_be_changed():
    with pytest.raises(AttributeError):
        Outcome().complete = False


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON.astimezone(timezone(timedelta(hours=-7))),
        NOON.astimezone().replace(tzinfo=None),
        NOON_MS // 1000,
        NOON_MS / 1000,
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.000Z",
        "2026-03-01 12:00 UTC",
        "2026-03-01T13:00+01",
        "2026-03-01T05:00:00.000000-0700",
        " 2026-03-01T12:00:00,0z ",
        NOON.astimezone().strftime("%Y-%m-%dT%H:%M:%S"),
    ],
)
def test_one_moment_may_be_written_in_many_ways(moment):
    assert to_ms(moment) == NOON_MS


def test_a_date_alone_is_its_local_midnight():
    assert to_ms("2026-03-01") == to_ms(datetime(2026, 3, 1))


def test_parts_of_a_millisecond_are_cut_before_and_after_1970():
    assert to_ms("2026-03-01T12:00:00.123999Z") == NOON_MS + 123
    assert to_ms("1969-12-31T23:59:59.9995Z") == -1
    assert to_ms(-0.0005) == -1


@pytest.mark.parametrize(
    "wrong", ["yesterday", "2026-13-01", "2026-02-30T00:00Z", "", "12:00", 1e12, float("inf"), float("nan"), 10**400]
)
def test_what_is_no_moment_is_a_value_error(wrong):
    with pytest.raises(ValueError, match=r"."):
        to_ms(wrong)


@pytest.mark.parametrize("wrong", [None, True, b"2026-03-01", [1]])
def test_what_cannot_be_a_moment_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="a time is"):
        to_ms(wrong)


@given(some.integers(-62135596800000, 253402300799999))
def test_milliseconds_come_back_as_they_went(milliseconds):
    moment = from_ms(milliseconds)
    assert to_ms(moment) == to_ms(iso(moment)) == milliseconds


@pytest.mark.parametrize(("milliseconds", "year"), [(2**63, 9999), (-(2**63), 1)])
def test_a_time_beyond_the_calendar_is_its_end(milliseconds, year):
    assert from_ms(milliseconds).year == year


def test_durations_are_timedeltas_or_seconds():
    assert duration_to_ms(timedelta(days=1)) == duration_to_ms(86400) == 86400000
    assert duration_to_ms(1e-9) == 1


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), 10**400, timedelta(0), True, "1h"])
def test_a_duration_is_greater_than_zero(wrong):
    with pytest.raises((ValueError, TypeError), match="a duration"):
        duration_to_ms(wrong)


def test_only_records_and_times_are_public():
    assert all(hasattr(records, name) for name in records.__all__)
