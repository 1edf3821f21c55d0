"""What the importer tests share: writing a file, and telling records from problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chrysalis_memory.importing import read_records
from chrysalis_memory.records import ImportProblem


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    else:
        path.write_text(json.dumps(content), encoding="utf-8")
    return path


def read(path: Path, format: str | None = None) -> tuple[list[dict[str, Any]], list[ImportProblem]]:
    items = list(read_records(path, format=format))
    records = [item for item in items if isinstance(item, dict)]
    return records, [item for item in items if isinstance(item, ImportProblem)]


def contents(records: list[dict[str, Any]]) -> list[str]:
    return [record["content"] for record in records]
