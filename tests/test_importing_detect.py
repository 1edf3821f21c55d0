"""Telling formats apart by what is in the file, and surviving whatever else is."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from chrysalis_memory.importing import FORMATS, detect, read_records
from chrysalis_memory.records import ImportProblem
from importing_cases import read, write

CHAT_ABOUT_FORMATS = {"content": 'The keys are "mapping": { and "chat_messages": [ and "memory": "x"'}


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("a.md", "text", "markdown"),
        ("a.md", "[{", "markdown"),
        ("a.json", '{"content": "x"}\n{"content": "y"}', "jsonl"),
        ("a.txt", json.dumps(CHAT_ABOUT_FORMATS), "jsonl"),
        ("a.jsonl", "{broken\n", "jsonl"),
        ("a.jsonl", '{broken\n{"content": "x"}', "jsonl"),
        ("a.jsonl", '{"content": "x", "memory": "y"}', "jsonl"),
        ("memory.json", '{"type": "entity", "name": "x", "entityType": "y", "observations": []}', "mcp"),
        ("memory.json", '{"entities": [], "relations": []}', "mcp"),
        ("x.json", '[{"title": "t", "mapping": {"a": {}}}]', "chatgpt"),
        ("x.json", '[{"uuid": "t", "chat_messages": []}]', "claude"),
        ("x.json", '{"conversations": [{"chat_messages": []}]}', "claude"),
        ("x.json", '{"results": [{"memory": "x"}]}', "mem0"),
        ("x.json", '\n[ {"id": 1, "memory": "x"}]', "mem0"),
        ("x.json", '{\n "results": [\n {\n "memory": "x" } ] }', "mem0"),
        ("x.json", "[1, 2]", None),
        ("x.json", "", None),
        ("x.bin", b"\x00\xff\xfe", None),
    ],
)
def test_content_tells_the_format(tmp_path, name, content, format):
    assert detect(write(tmp_path, name, content)) == format


def test_a_file_of_no_known_format_is_one_problem(tmp_path):
    path = write(tmp_path, "x.bin", b"\x00\x01")
    what = "is none of the formats known here (markdown, jsonl, chatgpt, claude, mcp, mem0)"
    assert read(path) == ([], [ImportProblem(str(path), 0, what)])


def test_a_missing_file_is_one_problem(tmp_path):
    path = tmp_path / "none.json"
    assert read(path) == ([], [ImportProblem(str(path), 0, "cannot be read: No such file or directory")])


def test_a_format_given_by_name_is_not_guessed(tmp_path):
    path = write(tmp_path, "notes.txt", "# Notes\nplain words")
    assert read(path, "markdown")[0][0]["content"] == "# Notes\nplain words"


def test_an_unknown_format_is_misuse(tmp_path):
    with pytest.raises(ValueError, match="format is 'word'; it must be one of markdown, jsonl"):
        read_records(tmp_path, format="word")


def test_a_folder_is_no_export_unless_it_holds_one(tmp_path):
    assert read(tmp_path, "claude")[1][0].what == "is a folder without conversations.json"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(some.binary(max_size=300) | some.text(alphabet='[]{}",:\\n#- \n"content"memory').map(str.encode))
@pytest.mark.parametrize("format", [None, *FORMATS])
def test_no_bytes_at_all_make_a_reader_raise(tmp_path, format, data):
    path = write(tmp_path, "hostile", data)
    for item in read_records(path, format=format):
        assert isinstance(item, dict | ImportProblem)


KEYS = (
    "mapping chat_messages memory results content parts message author id uuid name entityType relationType title "
    "observations from to created_at metadata parent children current_node text tags importance role categories a"
).split()

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5) | some.floats(allow_nan=False),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(KEYS),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
@given(JSON)
@pytest.mark.parametrize("format", FORMATS)
def test_wrong_types_in_the_right_places_make_no_reader_raise(tmp_path, format, value):
    path = write(tmp_path, "hostile", [value] if format in ("chatgpt", "claude", "mem0") else value)
    for item in read_records(path, format=format):
        assert isinstance(item, ImportProblem) or (item["id"] and item["content"].strip())
