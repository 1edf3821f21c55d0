"""Exports of mem0."""

import json

import pytest

from chrysalis_memory.records import ImportProblem
from importing_cases import contents, read, write

MEMORY = {
    "id": "f38b689d",
    "memory": "Prefers stoneware",
    "user_id": "mira",
    "run_id": "r-1",
    "hash": "62bc",
    "metadata": {"kind": "taste"},
    "categories": ["craft"],
    "created_at": "2026-02-25T23:57:00.108347-07:00",
    "updated_at": None,
    "score": 0.7,
}


@pytest.mark.parametrize(
    "wrap",
    [lambda it: [it], lambda it: {"count": 1, "results": [it], "relations": []}, lambda it: {"memories": [it]}],
)
def test_a_memory_keeps_its_words_user_run_and_time(tmp_path, wrap):
    records, problems = read(write(tmp_path, "mem0.json", wrap(MEMORY)))
    assert problems == []
    identity = records[0].pop("id")
    assert len(identity) == 32
    assert records == [
        {
            "content": "Prefers stoneware",
            "memory_type": "semantic",
            "scope": "user/mira",
            "thread": "r-1",
            "tags": ("craft",),
            "occurred_at": "2026-02-26T06:57:00.108Z",
            "metadata": {"kind": "taste", "user_id": "mira", "run_id": "r-1", "source": "mem0"},
        }
    ]


def test_an_agents_memory_has_the_agents_scope(tmp_path):
    value = {"id": 1, "memory": "x", "agent_id": "planner"}
    assert read(write(tmp_path, "a.json", [value]))[0][0]["scope"] == "agent/planner"


def test_a_memory_reworded_is_still_the_same_memory(tmp_path):
    first = read(write(tmp_path, "a.json", [MEMORY]))[0][0]["id"]
    assert read(write(tmp_path, "b.json", [{**MEMORY, "memory": "Prefers porcelain"}]))[0][0]["id"] == first


def test_each_bad_memory_is_named_and_the_rest_goes_on(tmp_path):
    values = [
        {"memory": None, "id": 1},
        {"memory": "x", "metadata": [1]},
        {"memory": "fine"},
        3,
        {"memory": "y", "created_at": {}},
    ]
    text = "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]"
    path = write(tmp_path, "a.json", text)
    records, problems = read(path)
    assert contents(records) == ["fine"]
    assert [(problem.line, problem.what) for problem in problems] == [
        (2, "content is missing, not text"),
        (3, "metadata is a list, not an object"),
        (5, "is no JSON object"),
        (6, "created_at: a time is a datetime, ISO 8601 text or Unix seconds, not dict"),
    ]


def test_a_document_without_a_list_is_one_problem(tmp_path):
    path = write(tmp_path, "a.json", {"results": {"a": 1}})
    assert read(path, "mem0") == ([], [ImportProblem(str(path), 1, "has no list named 'results'")])
