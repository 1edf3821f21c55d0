"""An export of mem0: what its `get_all` returns, as a list or as an object with `results` or `memories`.

The user or agent that a memory belongs to becomes its scope (`user/alice`), the run its thread, the categories tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chrysalis_memory.importing.json_text import BadJson, array_keys, elements, parse, top_level
from chrysalis_memory.importing.record import (
    BadRecord,
    Record,
    content_of,
    derived_id,
    in_parts,
    metadata_of,
    moment_of,
    name_of,
    names_of,
)
from chrysalis_memory.importing.text import Unreadable, read_text
from chrysalis_memory.records import ImportProblem

LIST_KEYS = ("results", "memories")

_KEPT = ("user_id", "agent_id", "app_id", "run_id", "actor_id", "role")


def read_mem0(path: Path) -> Iterator[Record | ImportProblem]:
    """Each memory of the export, in order."""
    try:
        text = read_text(path)
        for element in elements(text, _list_key(text)):
            yield from _read_element(path, element.text, element.line)
    except Unreadable as error:
        yield error.problem
    except BadJson as error:
        yield ImportProblem(str(path), error.line, str(error))


def _list_key(text: str) -> str | None:
    if top_level(text) == "[":
        return None
    return next((key for key in array_keys(text) if key in LIST_KEYS), LIST_KEYS[0])


def _read_element(path: Path, text: str, line: int) -> Iterator[Record | ImportProblem]:
    try:
        value = parse(text)
        if not isinstance(value, dict):
            raise BadRecord("is no JSON object")
        yield from in_parts(_record(value))
    except BadJson as error:
        yield ImportProblem(str(path), line + error.line - 1, str(error))
    except BadRecord as error:
        yield ImportProblem(str(path), line, str(error))


def _record(value: dict[str, Any]) -> Record:
    content = content_of(_first(value, "memory", "data", "text"))
    identity = value.get("id")
    record: Record = {
        "id": derived_id("mem0", str(identity)[:256] if identity is not None else content),
        "content": content,
        "memory_type": "semantic",
        "metadata": _metadata(value),
    }
    if scope := _scope(value):
        record["scope"] = scope
    if value.get("run_id") is not None:
        record["thread"] = name_of(value["run_id"], "run_id")
    if value.get("categories"):
        record["tags"] = names_of(value["categories"], "categories")
    if (created := value.get("created_at")) is not None:
        record["occurred_at"] = moment_of(created, "created_at")
    return record


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    own = value.get("metadata")
    kept = {key: value[key] for key in _KEPT if value.get(key) is not None}
    return metadata_of({**(metadata_of(own) if own is not None else {}), **kept, "source": "mem0"})


def _scope(value: dict[str, Any]) -> str:
    for key in ("user", "agent"):
        if value.get(f"{key}_id") is not None:
            return f"{key}/{name_of(value[f'{key}_id'], f'{key}_id')}"
    return ""


def _first(value: dict[str, Any], *keys: str) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)
