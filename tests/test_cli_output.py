"""What commands print: for people, for pipes, for programs."""

import json
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rich.text import Text

from chrysalis_memory.cli.options import duration, metadata, moment
from chrysalis_memory.cli.options import given as given_options
from chrysalis_memory.cli.output import _json, age, in_markup, local, one_line, printable
from chrysalis_memory.records import from_ms


@given(some.text())
def test_printable_text_has_no_control_characters_but_keeps_its_length(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert not [character for character in shown if ord(character) < 32 and character not in "\n\t"]


@given(some.text())
def test_a_row_stays_a_row(text):
    assert not set(one_line(text)) & set("\n\r\t\v\f")


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (timedelta(seconds=5.5), "5 s"),
        (timedelta(minutes=59, seconds=30), "59 min"),
        (timedelta(hours=23, minutes=5), "23 h"),
        (timedelta(days=6, minutes=5), "6 d"),
        (timedelta(days=30), "4 w"),
        (timedelta(days=800), "2 y"),
    ],
)
def test_ages_are_in_the_largest_fitting_unit(ago, shown):
    assert age(datetime.now(timezone.utc) - ago) == shown


def test_whatever_changes_something_says_in_a_pipe_what_it_changed(chrysalis, tmp_path):
    team, mine, bundle = (str(tmp_path / name) for name in ("team", "mine", "bundle"))

    def told(*arguments, stdin=None):
        done = chrysalis(*arguments, stdin=stdin)
        assert (done.code, done.err) == (0, ""), arguments
        assert done.rows and done.rows[0][0], arguments  # noqa: PT018 - one claim
        return done.rows[0][0]

    assert told("remember", "one", "--id", "first") == told("update", "first", "two") == "first"
    told("export", bundle)
    told("import", bundle)
    told("rebuild")
    told("doctor", "--repair")
    saved = told("context", "save", "-", stdin="user: one")
    assert told("context", "cherish", saved) == saved
    branch = told("context", "branch", saved, "another way")
    assert told("context", "compost", branch, "--yes") == branch
    told("ghost", "clear", "--yes")
    key = told("found", "harbour", "--store", team)
    joined = told("join", "-", "--store", mine, stdin=chrysalis("invite", "--store", team).out)
    assert len({key, joined}) == 2
    told("sync", team, "--store", mine)
    told("remember", "three", "--id", "third", "--store", team)
    told("attest", "third", "0.9", "--store", team)
    told("peers", "--add", "wss://hub.example:4444", "--store", team)
    told("revoke", "-", "--store", team, stdin=told("invite", "--store", team))
    assert told("remove", joined, "--yes", "--store", team) == joined
    identity = chrysalis("hub", "token", "--json").json["id"]
    assert told("hub", "take-back", identity) == identity
    assert told("forget", "first", "--yes") == "first"


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "UTC"])
def test_the_first_and_the_last_moment_of_the_calendar_are_shown_in_every_zone(zone, monkeypatch):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        first, last = from_ms(-(1 << 62)), from_ms(1 << 62)
        assert (local(last)[:4], age(last)[:4]) == ("9999", "9999")
        assert local(first)
    finally:
        monkeypatch.undo()
        time.tzset()


@given(some.dictionaries(some.text(), some.text()))
def test_json_for_a_terminal_says_what_it_should_and_steers_nothing(value):
    for indent in (None, 2):
        text = _json(value, indent)
        assert json.loads(text) == value
        assert printable(text) == text


def test_words_of_others_are_no_markup():
    hostile = "[link=https://there.example]here[/link] [/] [red] ws://[fe80::1]:4444 \\[x]"
    assert Text.from_markup(f"[bold]{in_markup(hostile)}[/]").plain == hostile


def test_the_future_has_a_date():
    assert age(datetime(2999, 1, 2, 12, tzinfo=timezone.utc)) == "2999-01-02"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5h", 5400), ("2w", 1209600), (" 7D ", 604800), ("30m", 1800)]
)
def test_lengths_of_time_have_a_unit(text, seconds):
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["7", "d", "-1d", "1 month", "9999999999w", ""])
def test_a_length_without_a_unit_is_refused(text):
    with pytest.raises(ValueError, match="no length of time"):
        duration(text)


def test_a_length_of_time_as_a_moment_is_so_long_ago():
    assert abs(datetime.now(timezone.utc) - timedelta(days=7) - moment("7d")) < timedelta(seconds=5)
    with pytest.raises(ValueError, match="no ISO 8601 time"):
        moment("last week")


def test_metadata_is_pairs():
    assert metadata(["a=1", "b=x=y", 'c={"d": [true]}', "e="]) == {"a": 1, "b": "x=y", "c": {"d": [True]}, "e": ""}
    with pytest.raises(ValueError, match="no key=value"):
        metadata(["novalue"])


def test_only_what_was_given_is_passed_on():
    assert given_options(a=None, b=[], c=0, d="", e=False) == {"c": 0, "d": "", "e": False}
