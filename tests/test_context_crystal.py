"""State crystals as values: every field is kept, bounded and checked."""

from datetime import datetime, timedelta, timezone

import pytest

from chrysalis_memory import Malformed, TooLarge
from chrysalis_memory.context import StateCrystal, TaskState, new_crystal_id
from crystal_cases import crystal

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def test_it_has_the_fields_that_were_specified_and_their_defaults():
    made = StateCrystal("c1", "ada", NOON)
    assert (made.task_state, made.working_memory, made.history_summary) == (TaskState(), {}, "")
    assert (made.summary_tokens, made.focus_fragments, made.focus_tokens) == (0, (), 0)
    assert (made.parent_crystal, made.branch_reason, made.branch_depth) == (None, None, 0)
    assert (made.ttl, made.pinned) == (timedelta(hours=24), False)


def test_it_expires_after_its_time_unless_it_is_pinned():
    made = StateCrystal("c1", "ada", NOON, ttl=timedelta(hours=1))
    assert not made.is_expired(NOON + timedelta(hours=1))
    assert made.is_expired(NOON + timedelta(hours=1, milliseconds=1))
    assert made.is_expired()
    assert not StateCrystal("c1", "ada", NOON, pinned=True).is_expired()


def test_its_tokens_are_those_of_summary_and_fragments():
    assert StateCrystal("c1", "ada", NOON, summary_tokens=3, focus_tokens=4).total_tokens() == 7


def test_plain_data_gives_it_back():
    made = crystal(branch_reason="try cone 10", parent_crystal="c0", branch_depth=2, pinned=True, warning="a")
    assert StateCrystal.from_dict(made.to_dict()) == made


def test_what_it_is_given_it_holds_alone():
    held = {"list": [1]}
    made = StateCrystal("c1", "ada", NOON, working_memory=held)
    held["list"].append(2)
    assert made.working_memory == {"list": [1]}


def test_times_go_in_in_any_form_and_come_out_in_utc_to_the_millisecond():
    made = StateCrystal("c1", "ada", "2026-03-01T13:00:00.1234+01:00", ttl=90)
    assert (made.timestamp, made.ttl) == (NOON + timedelta(milliseconds=123), timedelta(seconds=90))


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("crystal_id", "", ValueError),
        ("crystal_id", "x" * 257, TooLarge),
        ("agent", None, TypeError),
        ("timestamp", "noon", ValueError),
        ("task_state", {}, TypeError),
        ("working_memory", [], TypeError),
        ("working_memory", {"x": object()}, ValueError),
        ("working_memory", {"x": float("nan")}, ValueError),
        ("working_memory", {"x": "y" * (1 << 20)}, TooLarge),
        ("history_summary", "\ud800", ValueError),
        ("summary_tokens", -1, ValueError),
        ("focus_fragments", [{}], TypeError),
        ("focus_tokens", True, TypeError),
        ("parent_crystal", " ", ValueError),
        ("branch_reason", "r" * 1025, TooLarge),
        ("branch_depth", 1_001, ValueError),
        ("ttl", 0, ValueError),
        ("pinned", 1, TypeError),
        ("window", {}, TypeError),
        ("thread", 5, TypeError),
    ],
)
def test_what_can_not_be_one_is_refused(field, value, error):
    told = {"crystal_id": "c1", "agent": "ada", "timestamp": NOON} | {field: value}
    with pytest.raises(error, match=field):
        StateCrystal(**told)


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"crystal_id": "c1", "agent": "ada"},
        {"crystal_id": "c1", "agent": "ada", "timestamp": "x"},
        {"crystal_id": "c1", "agent": "ada", "timestamp": 0, "task_state": []},
        {"crystal_id": "c1", "agent": "ada", "timestamp": 0, "task_state": {"done": "loaded"}},
        {"crystal_id": "c1", "agent": "ada", "timestamp": 0, "focus_fragments": {}},
        {"crystal_id": "c1", "agent": "ada", "timestamp": 0, "focus_fragments": [{"hint": "x"}]},
        {"crystal_id": "c1", "agent": "ada", "timestamp": 0, "window": {"turns": [{}]}},
        {"crystal_id": "c1", "agent": "ada", "timestamp": 0, "branch_depth": 10**30},
    ],
)
def test_data_of_another_shape_are_malformed(told):
    with pytest.raises(Malformed):
        StateCrystal.from_dict(told)


def test_a_task_state_is_bounded():
    with pytest.raises(TooLarge):
        TaskState(next_steps=["step"] * 1_001)
    with pytest.raises(TooLarge):
        TaskState("t" * ((64 << 10) + 1))
    with pytest.raises(ValueError, match="status"):
        TaskState(status=" ")


def test_no_two_ids_are_equal():
    assert len({new_crystal_id() for _ in range(1_000)}) == 1_000
