"""Claude exports: lists of messages."""

import pytest

from importing_cases import read, write


def message(identity, sender, text, **more):
    return {"uuid": identity, "sender": sender, "text": text, "created_at": "2026-03-01T12:00:00.123456Z", **more}


def conversation(*messages):
    return {
        "uuid": "c-1",
        "name": "Firing",
        "created_at": "2026-03-01T11:00:00Z",
        "chat_messages": list(messages)
        or [message("m-1", "human", "Which cone?"), message("m-2", "assistant", "Cone 6.")],
    }


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"account": {}, "conversations": [value]}])
def test_both_sides_are_imported_with_speaker_thread_and_time(tmp_path, wrap):
    records, problems = read(write(tmp_path, "conversations.json", wrap(conversation())))
    assert problems == []
    assert [(record["speaker"], record["content"], record["thread"]) for record in records] == [
        ("user", "Which cone?", "c-1"),
        ("assistant", "Cone 6.", "c-1"),
    ]
    assert records[0]["occurred_at"] == "2026-03-01T12:00:00.123Z"
    assert records[0]["metadata"] == {"source": "claude", "title": "Firing"}


def test_text_blocks_are_preferred_and_thinking_and_tools_left_out(tmp_path):
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "one"},
        {"type": "tool_use", "name": "search", "input": {}},
        {"type": "text", "text": "two"},
    ]
    value = conversation(message("m", "assistant", "one This block is not supported. two", content=blocks))
    assert [record["content"] for record in read(write(tmp_path, "c.json", [value]))[0]] == ["one\n\ntwo"]


def test_messages_without_words_are_left_out(tmp_path):
    value = conversation(message("m", "human", "", content=[{"type": "text", "text": " "}], files=[{}]))
    assert read(write(tmp_path, "c.json", [value])) == ([], [])


def test_a_message_without_a_time_takes_that_of_its_conversation(tmp_path):
    value = conversation(message("m", "human", "hi"))
    value["chat_messages"][0]["created_at"] = None
    assert read(write(tmp_path, "c.json", [value]))[0][0]["occurred_at"] == "2026-03-01T11:00:00.000Z"


def test_a_bad_message_is_named_and_the_rest_goes_on(tmp_path):
    value = conversation(
        message("1", "human", 7), "text", message("2", "human", "fine"), message("3", "human", "\ud800")
    )
    records, problems = read(write(tmp_path, "c.json", [value, {"chat_messages": {}}]))
    assert [record["content"] for record in records] == ["fine"]
    assert [problem.what for problem in problems] == [
        "conversation 1 (Firing), message 1: text is a number, not text",
        "conversation 1 (Firing), message 2: message is no JSON object",
        "conversation 1 (Firing), message 4: text holds half of a character (a lone surrogate)",
        "conversation 2: chat_messages is no list",
    ]
