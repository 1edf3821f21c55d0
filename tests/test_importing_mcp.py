"""The graph of the reference MCP memory server."""

import json

import pytest

from chrysalis_memory.importing.mcp import entity_id
from chrysalis_memory.records import ImportProblem
from importing_cases import contents, read, write

ENTITY = {
    "type": "entity",
    "name": "Mira",
    "entityType": "person",
    "observations": ["throws on a kick wheel", "Mira teaches on Mondays", "throws on a kick wheel"],
}
OTHER = {"type": "entity", "name": "Studio", "entityType": "place", "observations": []}
RELATION = {"type": "relation", "from": "Mira", "to": "Studio", "relationType": "works_at"}
GRAPH = {"entities": [ENTITY, OTHER], "relations": [RELATION]}


def lines(*values):
    return "\n".join(value if isinstance(value, str) else json.dumps(value) for value in values)


@pytest.mark.parametrize("content", [lines(ENTITY, OTHER, RELATION), GRAPH, json.dumps(GRAPH, indent=2)])
def test_entities_observations_and_relations_become_linked_memories(tmp_path, content):
    records, problems = read(write(tmp_path, "memory.json", content))
    assert problems == []
    assert [(record["content"], record.get("parents"), record.get("related")) for record in records] == [
        ("Mira is of type person", None, None),
        ("Mira: throws on a kick wheel", (entity_id("Mira"),), None),
        ("Mira teaches on Mondays", (entity_id("Mira"),), None),
        ("Studio is of type place", None, None),
        ("Mira works at Studio", (entity_id("Mira"),), (entity_id("Studio"),)),
    ]
    assert records[0]["id"] == entity_id("Mira")
    assert records[1]["tags"] == ("person",)
    assert records[1]["metadata"]["observation"] == "throws on a kick wheel"


def test_an_observation_added_later_is_the_only_new_record(tmp_path):
    before = {record["id"] for record in read(write(tmp_path, "a.json", lines(ENTITY)))[0]}
    entity = {**ENTITY, "observations": [*ENTITY["observations"], "likes celadon"]}
    after = {record["id"]: record["content"] for record in read(write(tmp_path, "b.json", lines(entity)))[0]}
    assert [content for key, content in after.items() if key not in before] == ["Mira: likes celadon"]


def test_each_bad_line_is_named_and_the_rest_goes_on(tmp_path):
    content = lines(
        ENTITY,
        "{broken",
        {"type": "entity", "name": "", "entityType": "x"},
        {"type": "entity", "name": "A", "observations": "text"},
        {"type": "relation", "from": "A", "relationType": "knows"},
        {"type": "entity", "name": "B", "entityType": 3},
        OTHER,
    )
    path = write(tmp_path, "memory.json", content)
    records, problems = read(path)
    assert contents(records)[-1] == "Studio is of type place"
    assert [problem.line for problem in problems] == [2, 3, 4, 5, 6]
    assert problems[3] == ImportProblem(str(path), 5, "to is missing, not text")
