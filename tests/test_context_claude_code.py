"""Sessions of Claude Code: the branch that was gone on with, what is droppable in it, and files that lie."""

import json

import pytest

from chrysalis_memory import ImportProblem
from chrysalis_memory.context import Linearity, read_transcripts
from importing_cases import write


def said(uuid, parent, role, content, **changes):
    record = {"type": role, "uuid": uuid, "parentUuid": parent, "sessionId": "s-1", "timestamp": "2026-03-01T12:00:00Z"}
    return {**record, "message": {"role": role, "content": content}, **changes}


def call(uuid, parent, name="Bash", **arguments):
    return said(uuid, parent, "assistant", [{"type": "tool_use", "id": f"t{uuid}", "name": name, "input": arguments}])


def answer(uuid, parent, content, **changes):
    return said(
        uuid, parent, "user", [{"type": "tool_result", "tool_use_id": f"t{parent}", "content": content, **changes}]
    )


def session():
    return [
        {"type": "summary", "summary": "Firing the kiln", "leafUuid": "9"},
        {"type": "file-history-snapshot", "messageId": "1"},
        said("1", None, "user", "Which cone?"),
        said("2", "1", "assistant", [{"type": "thinking", "thinking": "Hm.", "signature": "x"}]),
        said("3", "2", "assistant", [{"type": "text", "text": "Let me look."}]),
        call("4", "3", command="cat kiln.log"),
        answer("5", "4", [{"type": "text", "text": "1240 degrees"}, {"type": "image", "source": {}}]),
        call("6", "5", command="cone"),
        answer("7", "6", "cone: not found", is_error=True),
        said("8", "7", "assistant", [{"type": "text", "text": "Cone 6."}]),
        said("9", "8", "user", [{"type": "text", "text": "[FOCUS:decision] Cone 6 it is."}]),
    ]


def read(tmp_path, records):
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in records)
    found = list(read_transcripts(write(tmp_path, "session.jsonl", text)))
    problems = [one for one in found if isinstance(one, ImportProblem)]
    return next(one for one in found if not isinstance(one, ImportProblem)), problems


def contents(tmp_path, records):
    return [turn.content for turn in read(tmp_path, records)[0].window]


def test_what_both_sides_said_comes_with_class_and_time(tmp_path):
    transcript, problems = read(tmp_path, session())
    assert problems == []
    assert (transcript.id, transcript.title) == ("s-1", "Firing the kiln")
    assert [(turn.role, turn.content, str(turn.linearity_class)) for turn in transcript.window] == [
        ("user", "Which cone?", "required"),
        ("thinking", "Hm.", "droppable"),
        ("assistant", "Let me look.", "required"),
        ("tool_call", 'Bash {"command": "cat kiln.log"}', "droppable"),
        ("tool", "1240 degrees", "droppable"),
        ("tool_call", 'Bash {"command": "cone"}', "droppable"),
        ("tool", "cone: not found", "required"),
        ("assistant", "Cone 6.", "required"),
        ("user", "[FOCUS:decision] Cone 6 it is.", "preserved"),
    ]
    assert {turn.at for turn in transcript.window} == {"2026-03-01T12:00:00.000Z"}


def test_a_branch_that_was_taken_back_is_left_out(tmp_path):
    records = [
        said("1", None, "user", "Which cone?"),
        said("2", "1", "assistant", "Cone 10."),
        said("3", "2", "user", "They warp!"),
        said("4", "1", "assistant", "Cone 6."),
        said("5", "4", "user", "Good."),
    ]
    assert contents(tmp_path, records) == ["Which cone?", "Cone 6.", "Good."]


def test_answers_of_tools_that_were_called_at_once_all_stay(tmp_path):
    records = [call("1", None), call("2", "1"), answer("3", "1", "first"), answer("4", "2", "second")]
    assert contents(tmp_path, [*records, said("5", "4", "assistant", "Done.")])[2:] == ["first", "second", "Done."]


def test_side_chains_and_what_the_program_put_in_are_left_out(tmp_path):
    records = [
        said("1", None, "user", "Which cone?"),
        said("2", "1", "user", "<caveat>", isMeta=True),
        said("3", None, "user", "sub-task", isSidechain=True),
        said("4", "3", "assistant", "sub-answer", isSidechain=True),
        {"type": "system", "uuid": "5", "parentUuid": "2", "content": "hook ran"},
        said("6", "5", "assistant", "Cone 6."),
    ]
    assert contents(tmp_path, records) == ["Which cone?", "Cone 6."]


@pytest.mark.parametrize(("before", "linearity"), [(True, Linearity.DROPPABLE), (False, Linearity.REQUIRED)])
def test_a_summary_of_compaction_is_required_only_where_what_it_tells_is_missing(tmp_path, before, linearity):
    records = [
        *([said("1", None, "user", "Which cone?")] if before else []),
        {"type": "system", "uuid": "2", "parentUuid": None, "logicalParentUuid": "1", "subtype": "compact_boundary"},
        said("3", "2", "user", "They asked for a cone.", isCompactSummary=True),
        said("4", "3", "user", "Go on."),
    ]
    *_, summary, last = read(tmp_path, records)[0].window
    assert (summary.role, summary.name, summary.linearity_class) == ("system", "summary", linearity)
    assert last.content == "Go on."


def test_a_record_written_twice_is_said_once(tmp_path):
    record = said("1", None, "user", "Which cone?")
    assert contents(tmp_path, [record, record]) == ["Which cone?"]


@pytest.mark.parametrize("parents", [(None, "gone", "gone"), ("3", "1", "2"), ("1", "2", "3"), (None, "3", "2")])
def test_parents_that_are_missing_or_in_a_circle_lose_nothing(tmp_path, parents):
    records = [said(str(number), parent, "user", f"turn {number}") for number, parent in enumerate(parents, 1)]
    assert contents(tmp_path, records) == ["turn 1", "turn 2", "turn 3"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "is no JSON"),
        ("[]", "the line is no JSON object"),
        (said("2", "1", "user", 7), "content is neither text nor a list"),
        (said("2", "1", "user", ["text"]), "block is no JSON object"),
        (said("2", "1", "user", [{"type": "text", "text": None}]), "text is missing"),
        (said("2", "1", "assistant", None), "content is neither text nor a list"),
        ({"type": "user", "uuid": "2"}, "message is no JSON object"),
        ({"type": "user", "uuid": 2, "message": {}}, "uuid is a number"),
        (said("2", "1", "user", "\ud83d"), "half of a character"),
        ('{"type": "user", "uuid": "2", "message": {"content": ' + "[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_bad_line_costs_itself_and_is_named(tmp_path, line, complaint):
    records = [said("1", None, "user", "before"), line, said("3", "1", "user", "after")]
    transcript, problems = read(tmp_path, records)
    assert [turn.content for turn in transcript.window] == ["before", "after"]
    assert [one.line for one in problems] == [2]
    assert complaint in problems[0].what


def test_times_that_are_none_are_left_out(tmp_path):
    records = [said(str(at), None, "user", "x", timestamp=time) for at, time in enumerate(["soon", None, 7e30, []])]
    assert [turn.at for turn in read(tmp_path, records)[0].window] == [None] * 4


def test_a_session_of_too_much_is_told_and_what_came_before_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("chrysalis_memory.context.claude_code.TURNS_MAX", 2)
    records = [said(str(number), None, "user", f"turn {number}") for number in range(4)]
    transcript, problems = read(tmp_path, records)
    assert [turn.content for turn in transcript.window] == ["turn 0", "turn 1"]
    assert len(problems) == 1
