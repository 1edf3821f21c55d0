"""The knowledge graph of the reference MCP memory server (`memory.json`, JSON lines of entities and relations).

Each entity becomes a memory that says what it is, each observation a memory under it (its child), each relation a
memory under the entity it starts from and related to the one it leads to: so a graph of the entity shows all of it.
Observations are told with the entity's name, because "likes tea" alone does not say who.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from chrysalis_memory.importing.json_text import BadJson, Element, array_keys, elements, parse
from chrysalis_memory.importing.record import (
    BadRecord,
    Record,
    derived_id,
    in_parts,
    name_of,
    text_of,
)
from chrysalis_memory.importing.text import Unreadable, read_head, read_lines, read_text
from chrysalis_memory.records import ImportProblem

_HEAD_BYTES: Final = 64 << 10


def read_mcp(path: Path) -> Iterator[Record | ImportProblem]:
    """Memories for every entity, observation and relation, in the order of the file."""
    try:
        for item in _items(path):
            if isinstance(item, ImportProblem):
                yield item
            else:
                yield from _read_item(path, item)
    except Unreadable as error:
        yield error.problem
    except BadJson as error:
        yield ImportProblem(str(path), error.line, str(error))


def _items(path: Path) -> Iterator[Element | ImportProblem]:
    """Entities and relations, from JSON lines or from one document with a list of each."""
    if graph_keys(read_head(path, _HEAD_BYTES)):
        text = read_text(path)
        for key in graph_keys(text):
            yield from elements(text, key)
        return
    for line in read_lines(path):
        yield line if isinstance(line, ImportProblem) else Element(line[1], line[0])


def graph_keys(text: str) -> list[str]:
    """The lists of a graph that was written as one document; none if it was written as lines."""
    keys = array_keys(text)
    return [key for key in ("entities", "relations") if key in keys] if "entities" in keys else []


def _read_item(path: Path, item: Element) -> Iterator[Record | ImportProblem]:
    try:
        value = parse(item.text)
        if not isinstance(value, dict):
            raise BadRecord("is no JSON object")
        for record in _relation(value) if "relationType" in value else _entity(value):
            yield from in_parts(record)
    except (BadJson, BadRecord) as error:
        yield ImportProblem(str(path), item.line, str(error))


def _entity(value: dict[str, Any]) -> Iterator[Record]:
    name = _required(value, "name")
    kind = name_of(value.get("entityType") or "", "entityType")
    observations = value.get("observations") or []
    if not isinstance(observations, list):
        raise BadRecord("observations is no list")
    texts = [text_of(observation, "observation") for observation in observations]
    content = f"{name} is of type {kind}" if kind else name
    common = {"memory_type": "knowledge", "tags": (kind,) if kind else ()}
    metadata = {"source": "mcp", "entity": name, "entity_type": kind}
    yield {"id": entity_id(name), "content": content, "metadata": metadata, **common}
    for text in dict.fromkeys(text for text in texts if text.strip()):
        yield {
            "id": derived_id("mcp observation", name, text),
            "content": text if name.lower() in text.lower() else f"{name}: {text}",
            "parents": (entity_id(name),),
            "metadata": {**metadata, "observation": text},
            **common,
        }


def _relation(value: dict[str, Any]) -> Iterator[Record]:
    start, end, kind = _required(value, "from"), _required(value, "to"), _required(value, "relationType")
    yield {
        "id": derived_id("mcp relation", start, kind, end),
        "content": f"{start} {kind.replace('_', ' ')} {end}",
        "memory_type": "knowledge",
        "parents": (entity_id(start),),
        "related": (entity_id(end),),
        "metadata": {"source": "mcp", "from": start, "to": end, "relation_type": kind},
    }


def entity_id(name: str) -> str:
    """The id of the memory that stands for an entity."""
    return derived_id("mcp entity", name)


def _required(value: dict[str, Any], key: str) -> str:
    name = name_of(value.get(key), key)
    if not name:
        raise BadRecord(f"{key} is empty")
    return name
