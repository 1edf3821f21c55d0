"""JSON lines: one memory a line, with the names of `remember` as keys; what `chrysalis list --jsonl` writes.

Only `content` is required. A line without `id` is named by all that it says, so that the same line twice is one
memory. Keys that `remember` does not know become metadata, so that nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from chrysalis_memory.importing.json_text import BadJson, parse
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
    score_of,
)
from chrysalis_memory.importing.text import read_lines
from chrysalis_memory.records import ImportProblem, Tier

_ID_BYTES_MAX: Final = 256


def read_json_lines(path: Path) -> Iterator[Record | ImportProblem]:
    """Each line as a record, or as a problem with its number; the file is read as a stream."""
    for line in read_lines(path):
        if isinstance(line, ImportProblem):
            yield line
            continue
        number, text = line
        try:
            yield from in_parts(record_from_dict(parse(text)))
        except (BadJson, BadRecord) as error:
            yield ImportProblem(str(path), number, str(error))


def record_from_dict(value: Any) -> Record:
    """A record from one JSON object, each value checked; raises `BadRecord` naming the first bad one."""
    if not isinstance(value, dict):
        raise BadRecord("is no JSON object")
    record: Record = {"id": _id_of(value), "content": content_of(value.get("content"))}
    for key, check in _CHECKS.items():
        if (given := value.get(key)) is not None:
            record[key] = check(given, key)
    if "occurred_at" not in record and isinstance(created := value.get("created_at"), str):
        record["occurred_at"] = moment_of(created, "created_at")
    if metadata := _metadata(value):
        record["metadata"] = metadata
    return record


def _id_of(value: dict[str, Any]) -> str:
    given = value.get("id")
    if given is None:
        return derived_id("json lines", json.dumps(value, sort_keys=True, default=str))
    name = name_of(str(given) if isinstance(given, int) else given, "id")
    if not 1 <= len(name.encode("utf-8")) <= _ID_BYTES_MAX:
        raise BadRecord(f"id must have 1 to {_ID_BYTES_MAX} bytes")
    return name


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    metadata = metadata_of(value["metadata"]) if value.get("metadata") is not None else {}
    unknown = {key: inner for key, inner in value.items() if key not in _KNOWN and inner is not None}
    return metadata_of({**unknown, **metadata})


def _tier_of(value: Any, what: str) -> str:
    tier = name_of(value, what)
    if tier not in set(Tier):
        raise BadRecord(f"{what} is {tier[:40]!r}; it must be working or long_term")
    return tier


_CHECKS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "tier": _tier_of,
    "memory_type": name_of,
    "scope": name_of,
    "thread": name_of,
    "speaker": name_of,
    "importance": score_of,
    "confidence": score_of,
    "tags": names_of,
    "parents": names_of,
    "related": names_of,
    "evidence": names_of,
    "occurred_at": moment_of,
    "valid_from": moment_of,
    "valid_until": moment_of,
}

# What a store derives for itself; an import cannot and must not set it.
_DERIVED: Final = {
    "access_count",
    "agent_id",
    "author",
    "conflicts",
    "created_at",
    "expires_at",
    "fingerprint",
    "lamport",
    "logical_time",
    "signature",
    "sync_status",
    "updated_at",
    "version",
}

_KNOWN: Final = {"id", "content", "metadata", *_CHECKS, *_DERIVED}
