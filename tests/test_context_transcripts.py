"""Transcripts of other programs: which they are, and what of them becomes a window."""

import json

import pytest

from chrysalis_memory import ImportProblem
from chrysalis_memory.context import Transcript, read_transcripts
from importing_cases import write


def node(parent, role="user", text="", **changes):
    content = {"content_type": "text", "parts": [text]}
    message = {"author": {"role": role}, "create_time": 1772366400, "content": content, "recipient": "all", **changes}
    return {"parent": parent, "children": [], "message": message}


def conversation(**changes):
    mapping = {
        "root": {"parent": None, "children": [], "message": None},
        "system": node("root", "system", "You are helpful."),
        "ask": node("system", "user", "Which cone is stoneware?"),
        "first": node("ask", "assistant", "Cone 4."),
        "search": node(
            "ask", "assistant", "", recipient="browser", content={"content_type": "code", "text": "find(6)"}
        ),
        "found": node("search", "tool", "a page"),
        "second": node("found", "assistant", "Cone 6 to 10."),
    }
    told = {"title": "Firing", "conversation_id": "c-1", "current_node": "second", "mapping": mapping}
    return {**told, **changes}


def read(tmp_path, value, **arguments):
    text = value if isinstance(value, str) else json.dumps(value)
    return list(read_transcripts(write(tmp_path, "conversations.json", text), **arguments))


def test_an_export_of_chatgpt_gives_a_window_for_each_conversation_with_its_tools_droppable(tmp_path):
    one, other = read(tmp_path, [conversation(), conversation(conversation_id="c-2", title=None)])
    assert isinstance(one, Transcript)
    assert (one.id, one.title, other.id, other.title) == ("c-1", "Firing", "c-2", "")
    assert [(turn.role, turn.content, str(turn.linearity_class)) for turn in one.window] == [
        ("user", "Which cone is stoneware?", "required"),
        ("tool_call", "find(6)", "droppable"),
        ("tool", "a page", "droppable"),
        ("assistant", "Cone 6 to 10.", "required"),
    ]
    assert one.window.turns[0].at == "2026-03-01T12:00:00.000Z"


def test_a_bad_conversation_costs_itself_and_is_named(tmp_path):
    found = read(tmp_path, [conversation(mapping=[]), 7, conversation()])
    assert [type(one) for one in found] == [ImportProblem, ImportProblem, Transcript]
    assert "conversation 1: mapping is no JSON object" in str(found[0].to_dict())


@pytest.mark.parametrize("content", [{"parts": 7}, {"parts": [{"text": 7}]}, None, 7])
def test_a_message_of_another_shape_costs_its_conversation(tmp_path, content):
    broken = conversation()
    broken["mapping"]["ask"]["message"]["content"] = content
    assert [type(one) for one in read(tmp_path, [broken])] == [ImportProblem]


def test_a_folder_of_an_export_is_read_file_by_file(tmp_path):
    for number in (1, 2):
        write(tmp_path, f"conversations-{number}.json", json.dumps([conversation(conversation_id=f"c-{number}")]))
    assert [one.id for one in read_transcripts(tmp_path)] == ["c-1", "c-2"]


def test_a_session_without_an_id_is_called_by_its_file(tmp_path):
    line = json.dumps({"type": "user", "message": {"content": "Which cone?"}})
    [one] = read_transcripts(write(tmp_path, "kiln.jsonl", line))
    assert one.id == "kiln"


@pytest.mark.parametrize("text", ["", "words", "{}", "[]", '{"content": "a memory"}', '[{"chat_messages": []}]'])
def test_a_file_that_is_none_of_these_is_told_not_raised(tmp_path, text):
    [problem] = read(tmp_path, text)
    assert isinstance(problem, ImportProblem)
    [problem] = read_transcripts(tmp_path / "nowhere.jsonl")
    assert isinstance(problem, ImportProblem)


def test_another_format_is_refused_at_once(tmp_path):
    with pytest.raises(ValueError, match="must be one of claude-code, chatgpt"):
        read_transcripts(tmp_path, format="mem0")
