"""One turn: what it may be, and its plain data."""

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory import Malformed, TooLarge
from chrysalis_memory.context import TURN_TOKENS, Linearity, Turn, estimate_tokens
from chrysalis_memory.context.limits import NAME_BYTES_MAX, POSITION_MAX, ROLE_BYTES_MAX, TURN_BYTES_MAX
from context_cases import turns


@given(turns())
def test_a_turn_comes_back_from_its_plain_data(turn):
    told = json.loads(json.dumps(turn.to_dict()))
    assert Turn.from_dict(told) == turn


def test_plain_data_leave_out_what_has_its_default():
    assert Turn("user", "hello").to_dict() == {"role": "user", "content": "hello"}
    assert Turn("user", "", Linearity.REQUIRED, "why", "ada", 0, 7, True).to_dict() == {
        "role": "user",
        "content": "",
        "linearity": "required",
        "focus": "why",
        "name": "ada",
        "at": "1970-01-01T00:00:00.000Z",
        "position": 7,
        "masked": True,
    }


def test_keys_of_a_later_version_are_passed_over():
    assert Turn.from_dict({"role": "user", "content": "hello", "mood": "bright"}) == Turn("user", "hello")


def test_a_time_is_kept_as_text_in_utc_whatever_form_it_came_in():
    forms = ["2026-03-01T13:00:00+01:00", 1772366400, datetime(2026, 3, 1, 12, tzinfo=timezone.utc)]
    assert {Turn("user", "", at=form).at for form in forms} == {"2026-03-01T12:00:00.000Z"}


def test_tokens_are_those_of_the_words_and_of_the_frame():
    assert Turn("user", "Which cone?").tokens() == estimate_tokens("Which cone?") + TURN_TOKENS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"role": ""}, "role is empty"),
        ({"role": 7}, "role is text, not int"),
        ({"content": None}, "content is text, not NoneType"),
        ({"content": "\ud83d"}, "content holds half of a character"),
        ({"linearity": "linear"}, "must be one of droppable, required, preserved"),
        ({"linearity": ["required"]}, "must be one of droppable, required, preserved"),
        ({"focus": "  "}, "focus is empty"),
        ({"name": {"first": "ada"}}, "name is text, not dict"),
        ({"at": "yesterday"}, "at: "),
        ({"at": [1]}, "at: "),
        ({"position": -1}, "position is -1"),
        ({"position": 1.0}, "position is a whole number"),
        ({"position": True}, "position is a whole number"),
        ({"position": POSITION_MAX + 1}, "must lie between"),
        ({"masked": "no"}, "masked is true or false"),
    ],
)
def test_what_is_no_turn_is_refused_and_says_why(changes, message):
    told = {"role": "user", "content": "hello", **changes}
    with pytest.raises((ValueError, TypeError), match=message):
        Turn(**told)
    with pytest.raises(Malformed, match=message):
        Turn.from_dict(told)


@pytest.mark.parametrize("told", [None, [], "user", {}, {"role": "user"}, {"content": "hello"}])
def test_data_of_another_shape_are_malformed(told):
    with pytest.raises(Malformed):
        Turn.from_dict(told)


@pytest.mark.parametrize(
    ("field", "limit"),
    [("role", ROLE_BYTES_MAX), ("content", TURN_BYTES_MAX), ("name", NAME_BYTES_MAX), ("focus", NAME_BYTES_MAX)],
)
def test_what_is_too_long_is_refused_with_its_limit(field, limit):
    told = {"role": "user", "content": "hello"}
    assert getattr(Turn.from_dict({**told, field: "x" * limit}), field) == "x" * limit
    with pytest.raises(TooLarge) as refusal:
        Turn.from_dict({**told, field: "é" * (limit // 2 + 1)})
    assert (refusal.value.size, refusal.value.limit) == (limit // 2 * 2 + 2, limit)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_whatever_stands_in_a_field_a_turn_is_made_or_refused(value):
    for field in ("role", "content", "linearity", "focus", "name", "at", "position", "masked"):
        try:
            made = Turn.from_dict({"role": "user", "content": "hello", field: value})
        except (Malformed, TooLarge):
            continue
        assert Turn.from_dict(made.to_dict()) == made
