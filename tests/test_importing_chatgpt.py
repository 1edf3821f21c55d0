"""ChatGPT exports: trees of messages, of which the branch last seen is imported."""

import copy
import json

import pytest

from chrysalis_memory.records import ImportProblem
from importing_cases import contents, read, write


def node(identity, parent, role="user", text="", children=(), **changes):
    message = {
        "id": identity,
        "author": {"role": role},
        "create_time": 1772366400.25,
        "content": {"content_type": "text", "parts": [text]},
        "recipient": "all",
        **changes,
    }
    return {"id": identity, "parent": parent, "children": list(children), "message": message}


def conversation():
    mapping = {
        "root": {"id": "root", "parent": None, "children": ["system"], "message": None},
        "system": node("system", "root", "system", "You are helpful.", ["ask"]),
        "ask": node("ask", "system", "user", "Which cone is stoneware?", ["first", "second"]),
        "first": node("first", "ask", "assistant", "Cone 4."),
        "second": node("second", "ask", "assistant", "Cone 6 to 10.", ["tool"]),
        "tool": node("tool", "second", "assistant", "search('cone')", ["result"], recipient="browser"),
        "result": node("result", "tool", "tool", "a page", ["thanks"]),
        "thanks": node("thanks", "result", "user", "Thanks", create_time=None),
    }
    return {
        "title": "Firing",
        "create_time": 1772360000,
        "conversation_id": "c-1",
        "current_node": "thanks",
        "mapping": mapping,
    }


def test_the_current_branch_is_imported_with_speaker_and_time(tmp_path):
    records, problems = read(write(tmp_path, "conversations.json", [conversation()]))
    assert problems == []
    assert [(record["speaker"], record["content"], record["occurred_at"]) for record in records] == [
        ("user", "Which cone is stoneware?", "2026-03-01T12:00:00.250Z"),
        ("assistant", "Cone 6 to 10.", "2026-03-01T12:00:00.250Z"),
        ("user", "Thanks", "2026-03-01T10:13:20.000Z"),
    ]
    assert {record["thread"] for record in records} == {"c-1"}
    assert records[0]["metadata"] == {"source": "chatgpt", "title": "Firing"}


def test_without_a_current_node_the_newest_branch_is_followed(tmp_path):
    value = conversation()
    del value["current_node"]
    assert contents(read(write(tmp_path, "c.json", [value]))[0])[1] == "Cone 6 to 10."


def test_ids_come_from_messages_so_a_later_export_adds_only_what_is_new(tmp_path):
    before = {record["id"] for record in read(write(tmp_path, "c.json", [conversation()]))[0]}
    longer = conversation()
    longer["title"] = "Renamed"
    longer["mapping"]["more"] = node("more", "thanks", "assistant", "You are welcome.")
    longer["current_node"] = "more"
    after = {record["id"] for record in read(write(tmp_path, "d.json", [longer]))[0]}
    assert before < after
    assert len(after - before) == 1


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["a", "b"], "a\n\nb"),
        (
            [{"content_type": "audio_transcription", "text": "said"}, {"content_type": "image_asset_pointer"}],
            "said",
        ),
    ],
)
def test_parts_are_joined_and_pictures_carry_no_words(tmp_path, parts, said):
    value = conversation()
    value["mapping"]["thanks"]["message"]["content"] = {"content_type": "multimodal_text", "parts": parts}
    assert contents(read(write(tmp_path, "c.json", [value]))[0])[-1] == said


@pytest.mark.parametrize(
    "change",
    [
        {"weight": 0.0},
        {"metadata": {"is_visually_hidden_from_conversation": True}},
        {"content": {"content_type": "thoughts", "thoughts": []}},
        {"content": {"content_type": "text", "parts": [""]}},
    ],
)
def test_what_the_user_never_saw_is_left_out(tmp_path, change):
    value = conversation()
    value["mapping"]["thanks"]["message"].update(change)
    records, problems = read(write(tmp_path, "c.json", [value]))
    assert (len(records), problems) == (2, [])


def test_links_that_run_in_circles_end(tmp_path):
    value = conversation()
    value["mapping"]["root"]["parent"] = "thanks"
    assert len(read(write(tmp_path, "c.json", [value]))[0]) == 3


def test_a_bad_conversation_or_message_costs_only_itself(tmp_path):
    good = conversation()
    bad_message = copy.deepcopy(good)
    bad_message["mapping"]["second"]["message"]["author"] = "me"
    bad_message["mapping"]["thanks"]["message"]["create_time"] = 10**30
    values = [{"mapping": []}, 5, bad_message, good]
    text = "[\n" + ",\n".join(json.dumps(value) for value in values) + ",\n{oops}\n]"
    path = write(tmp_path, "conversations.json", text)
    records, problems = read(path)
    assert len(records) == 1 + 3
    assert [(problem.line, problem.what[:50]) for problem in problems] == [
        (2, "conversation 1: mapping is no JSON object"),
        (3, "conversation 2: is no JSON object"),
        (4, "conversation 3 (Firing), message 4: author is no J"),
        (4, "conversation 3 (Firing), message 7: time: 10000000"),
        (6, "conversation 5 is no JSON: Expecting property name"),
    ]


def test_a_file_cut_off_keeps_the_conversations_before(tmp_path):
    text = json.dumps([conversation(), conversation()])[:-50]
    path = write(tmp_path, "conversations.json", text)
    records, problems = read(path)
    assert len(records) == 3
    assert problems == [ImportProblem(str(path), 1, "a string has no end: the file is cut off")]


def test_an_unpacked_export_is_a_folder_with_one_or_more_files(tmp_path):
    write(tmp_path, "conversations-000.json", [conversation()])
    second = conversation()
    second["mapping"] = {"only": node("only", None, "user", "Another file.")}
    second["current_node"] = "only"
    write(tmp_path, "conversations-001.json", [second])
    write(tmp_path, "chat.html", "<html>")
    assert contents(read(tmp_path)[0])[-1] == "Another file."
