"""JSON lines: one memory a line."""

import json

from chrysalis_memory.importing.jsonlines import read_json_lines
from chrysalis_memory.records import ImportProblem
from importing_cases import contents, read, write


def lines(*values):
    return "\n".join(value if isinstance(value, str) else json.dumps(value) for value in values)


def test_every_argument_of_remember_can_stand_in_a_line(tmp_path):
    value = {
        "id": "glaze-1",
        "content": "Celadon needs reduction.",
        "tier": "long_term",
        "memory_type": "knowledge",
        "scope": "studio/glazes",
        "importance": 0.9,
        "confidence": 1,
        "tags": ["glaze", "firing"],
        "parents": ["p"],
        "related": ["r"],
        "evidence": ["e"],
        "thread": "t",
        "speaker": "Mira",
        "occurred_at": "2026-03-01T12:00:00Z",
        "metadata": {"batch": 4},
        "valid_from": "2026-03-01T12:00:00Z",
        "valid_until": 1772366400,
    }
    records, problems = read(write(tmp_path, "a.jsonl", lines(value)))
    assert problems == []
    moment = "2026-03-01T12:00:00.000Z"
    times = {"occurred_at": moment, "valid_from": moment, "valid_until": moment}
    links = {"tags": ("glaze", "firing"), "parents": ("p",), "related": ("r",), "evidence": ("e",)}
    assert records == [{**value, **times, **links}]


def test_a_line_without_id_is_named_by_what_it_says(tmp_path):
    path = write(
        tmp_path, "a.jsonl", lines({"content": "x", "tags": ["t"]}, {"tags": ["t"], "content": "x"}, {"content": "y"})
    )
    ids = [record["id"] for record in read(path)[0]]
    assert ids[0] == ids[1] != ids[2]
    assert [record["id"] for record in read(path)[0]] == ids


def test_unknown_keys_become_metadata_and_derived_ones_are_left_to_the_store(tmp_path):
    line = {"content": "x", "mood": "calm", "fingerprint": "f", "signature": "s", "metadata": {"a": 1}, "scope": None}
    records, _ = read(write(tmp_path, "a.jsonl", lines(line)))
    assert records[0]["metadata"] == {"mood": "calm", "a": 1}
    assert set(records[0]) == {"id", "content", "metadata"}


def test_the_time_of_writing_stands_in_for_the_time_of_happening(tmp_path):
    records, _ = read(write(tmp_path, "a.jsonl", lines({"content": "x", "created_at": "2026-03-01T12:00:00Z"})))
    assert records[0]["occurred_at"] == "2026-03-01T12:00:00.000Z"


def test_each_bad_line_is_named_and_the_rest_goes_on(tmp_path):
    path = write(
        tmp_path,
        "a.jsonl",
        lines(
            {"content": "first"},
            "{broken",
            "",
            {"content": ""},
            [1],
            {"content": "x", "importance": 7},
            {"content": "x", "tier": "forever"},
            {"content": "x", "id": "i" * 257},
            {"content": "x", "occurred_at": "soon"},
            '{"content": "x", "n": ' + "9" * 5000 + "}",
            {"content": "last"},
        ),
    )
    records, problems = read(path)
    assert contents(records) == ["first", "last"]
    assert [(problem.file, problem.line) for problem in problems] == [(str(path), n) for n in (2, 4, 5, 6, 7, 8, 9, 10)]
    assert problems[1] == ImportProblem(str(path), 4, "content is empty")
    assert problems[4].what == "tier is 'forever'; it must be working or long_term"


def test_lines_are_read_as_they_are_needed(tmp_path):
    path = write(tmp_path, "a.jsonl", lines({"content": "first"}) + "\n")
    reader = read_json_lines(path)
    assert next(reader)["content"] == "first"
    with path.open("a") as file:
        file.write(lines({"content": "later"}))
    assert next(reader)["content"] == "later"
