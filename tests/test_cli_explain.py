"""What `recall --explain` shows, and the options that change what a question means."""

import re

import pytest


@pytest.fixture
def standup(chrysalis):
    """The command line on a store with a question, its answer, and something else."""
    said = ("--thread", "standup", "--at")
    chrysalis("remember", "Shall we move the launch?", "--id", "ask", "--speaker", "Ines", *said, "2026-03-02T09:00Z")
    chrysalis("remember", "To Thursday.", "--id", "answer", "--speaker", "Tomasz", *said, "2026-03-02T09:01Z")
    chrysalis("remember", "Calibrate the gauges every six weeks", "--id", "gauges")
    return chrysalis


def test_a_person_sees_parts_sum_score_and_time(standup):
    shown = standup("recall", "when do we move the launch", "--explain", terminal=True).out
    heading = next(line for line in shown.splitlines() if "answering" in line).split()
    assert heading == ["words", "asking", "answering", "thread", "sum", "score"]
    assert "how likely the first is an answer" in shown
    assert "follows a question that fits" in " ".join(shown.split())
    assert "took " in shown
    assert " ms" in shown


def test_the_parts_add_up_to_what_the_sum_says(standup):
    shown = standup("recall", "when do we move the launch", "--explain", terminal=True).out
    lines = shown.splitlines()
    heading = next(number for number, line in enumerate(lines) if "answering" in line)
    for line in lines[heading + 2 : heading + 4]:
        _, *parts, total, _ = (0.0 if cell == "·" else float(cell) for cell in line.split())
        assert sum(parts) == pytest.approx(total, abs=0.03)


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_off_on_a_narrow_screen(standup, monkeypatch, width):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    shown = standup("recall", "what did Ines say about the launch in March 2026", "--explain", terminal=True).out
    assert "…" not in shown
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in shown.splitlines()) <= width


def test_another_ranking_is_named(standup):
    shown = standup("recall", "launch", "--explain", "--ranking", "recent", terminal=True).out
    assert "the ranking 'recent'" in shown
    assert "how likely" not in shown


def test_nothing_found_still_says_what_the_search_took(standup):
    nothing = standup("recall", "xylophone", "--explain", terminal=True)
    assert nothing.code == 1
    assert "nothing fits" in nothing.out
    assert "took " in nothing.out


def test_a_pipe_gets_the_same_columns_and_the_parts_behind_them(standup):
    plain = standup("recall", "when do we move the launch").rows
    explained = standup("recall", "when do we move the launch", "--explain").rows
    assert [row[:5] for row in explained] == plain
    parts = [dict(cell.split("=") for cell in row[5:]) for row in explained]
    assert float(parts[0]["words"]) == 1.0
    assert float(parts[1]["answering"]) > 0.0


def test_json_holds_parts_and_stages_with_and_without_explain(standup):
    for extra in ((), ("--explain",)):
        found = standup("recall", "when do we move the launch", "--json", *extra).json
        assert {"words", "meaning", "answering", "thread"} <= set(found["hits"][0]["parts"])
        assert {"embed", "words", "fusion"} <= set(found["stages"])


def test_a_star_stands_for_any_ending(standup):
    assert [row[2] for row in standup("recall", "calib*").rows] == ["gauges"]
    assert standup("recall", "calib").code == 1


def test_a_time_narrows_counted_from_the_reference(standup):
    asked = ("recall", "what was said about the launch yesterday", "--dates", "narrow", "--reference")
    found = standup(*asked, "2026-03-03T12:00Z").rows
    assert {row[2] for row in found} == {"ask", "answer"}
    assert "yesterday (" in found[0][4]
    assert standup(*asked, "2026-04-03T12:00Z").code == 1


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--threshold", "many", "none, lenient, balanced, strict or a number"),
        ("--threshold", "3", "between 0 and 1"),
        ("--threshold", "nan", "between 0 and 1"),
        ("--dates", "often", "'lift', 'narrow', 'ignore'"),
        ("--reference", "teatime", "no ISO 8601 time"),
    ],
)
def test_a_wrong_value_is_named_and_is_exit_code_2(standup, option, value, message):
    wrong = standup("recall", "launch", option, value)
    assert (wrong.code, wrong.out) == (2, "")
    assert message in wrong.err
    assert "Traceback" not in wrong.err
