"""The shape of imported records: checked values, ids that come from the source, long texts in parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chrysalis_memory.importing.limits import CONTENT_BYTES_MAX
from chrysalis_memory.importing.record import (
    BadRecord,
    content_of,
    derived_id,
    in_parts,
    metadata_of,
    moment_of,
    name_of,
    names_of,
    score_of,
    split_text,
)


def test_ids_never_change_between_releases():
    assert derived_id("chatgpt", "message-1") == "95c7b9b3b5542bda774ab912df5d829a"


@given(some.lists(some.text()), some.lists(some.text()))
def test_different_sources_have_different_ids(first, second):
    assert (derived_id(*first) == derived_id(*second)) == (first == second)


@pytest.mark.parametrize(
    ("check", "value", "complaint"),
    [
        (content_of, None, "content is missing, not text"),
        (content_of, " \n", "content is empty"),
        (content_of, ["a"], "content is a list, not text"),
        (content_of, "\ud800", "lone surrogate"),
        (lambda value: name_of(value, "speaker"), "x" * 1025, "speaker is longer than 1024 bytes"),
        (lambda value: names_of(value, "tags"), ["a"] * 1025, "tags has more than 1024 entries"),
        (lambda value: names_of(value, "tags"), ["a", 5], "tags is a number, not text"),
        (lambda value: moment_of(value, "time"), "tomorrow", "time: 'tomorrow' is no ISO 8601 time"),
        (lambda value: moment_of(value, "time"), 10**30, "is no time in seconds"),
        (lambda value: score_of(value, "importance"), "high", "importance is text, not a number"),
        (lambda value: score_of(value, "importance"), 10**30, "must lie between 0 and 1"),
        (lambda value: score_of(value, "importance"), True, "importance is true or false"),
        (metadata_of, [], "metadata is a list, not an object"),
        (metadata_of, {"a": "x" * CONTENT_BYTES_MAX}, "metadata is larger than 16 KiB"),
    ],
)
def test_a_bad_value_is_refused_by_name(check, value, complaint):
    with pytest.raises(BadRecord, match=complaint):
        check(value)


def test_metadata_nested_for_mischief_is_refused():
    nested = {}
    for _ in range(70):
        nested = {"a": [nested]}
    with pytest.raises(BadRecord, match="nested deeper"):
        metadata_of(nested)


def test_names_are_distinct_and_keep_their_order():
    assert names_of(["b", " a ", "b", ""], "tags") == ("b", "a")
    assert names_of("one", "tags") == ("one",)


def test_times_become_utc():
    assert moment_of(1772366400.5, "time") == "2026-03-01T12:00:00.500Z"


def test_content_is_kept_as_it_was_said():
    assert content_of("  indented\n") == "  indented\n"


@given(some.text(alphabet=some.sampled_from("aé漢🙂 \n"), max_size=200), some.integers(4, 40))
def test_a_split_text_loses_nothing_but_space_at_the_cuts(text, bytes_max):
    pieces = split_text(text, bytes_max)
    assert all(0 < len(piece.encode()) <= bytes_max for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_cuts_prefer_the_ends_of_paragraphs():
    assert split_text("first part ends\n\nsecond part is", 20) == ["first part ends", "second part is"]


def test_long_content_becomes_several_memories_with_ids_of_their_own():
    record = {"id": derived_id("x"), "content": "word " * 15000, "thread": "t", "metadata": {"title": "T"}}
    parts = list(in_parts(record))
    assert [part["metadata"] for part in parts] == [{"title": "T", "part": n, "parts": 3} for n in (1, 2, 3)]
    assert len({part["id"] for part in parts}) == 3
    assert {part["thread"] for part in parts} == {"t"}


def test_short_content_stays_one_memory():
    record = {"id": "a", "content": "short"}
    assert list(in_parts(record)) == [record]
