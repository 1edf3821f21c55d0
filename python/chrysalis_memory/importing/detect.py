"""Telling what a file is by looking into it: names lie, and two of the formats are called conversations.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from chrysalis_memory.importing.json_text import BadJson, array_keys, parse, top_level
from chrysalis_memory.importing.markdown import SUFFIXES
from chrysalis_memory.importing.mcp import graph_keys
from chrysalis_memory.importing.mem0 import LIST_KEYS
from chrysalis_memory.importing.text import read_head

FORMATS: Final = ("markdown", "jsonl", "chatgpt", "claude", "mcp", "mem0")

_HEAD_BYTES: Final = 256 << 10
_HEAD_LINES: Final = 20

# Inside a string these quotes would be escaped, so a chat about export formats does not match.
_MARKS: Final = (
    ("chatgpt", re.compile(r'"mapping"\s*:\s*\{')),
    ("claude", re.compile(r'"chat_messages"\s*:\s*\[')),
    ("mem0", re.compile(r'"memory"\s*:\s*"')),
)


def detect(path: Path) -> str | None:
    """The format of a file or folder, one of `FORMATS`, or None if it looks like none of them.

    Raises `Unreadable` if there is nothing to look into.
    """
    if path.is_dir():
        files = export_files(path)
        return detect(files[0]) if files else "markdown"
    if path.suffix.lower() in SUFFIXES:
        return "markdown"
    head = read_head(path, _HEAD_BYTES)
    return _detect_json(head) or (_LINE_SUFFIXES.get(path.suffix.lower()))


_LINE_SUFFIXES: Final = {".jsonl": "jsonl", ".ndjson": "jsonl"}


def export_files(folder: Path) -> list[Path]:
    """The conversation files of an unpacked chat export; large exports come in several numbered ones."""
    return sorted(path for path in folder.glob("conversations*.json") if path.is_file())


def _detect_json(head: str) -> str | None:
    start = top_level(head)
    if start == "[":
        return _marked(head)
    return _detect_lines(head) or _detect_document(head) if start == "{" else None


def _detect_lines(head: str) -> str | None:
    for line in head.lstrip().split("\n", _HEAD_LINES)[:_HEAD_LINES]:
        value = _object(line)
        if "entityType" in value or "relationType" in value:
            return "mcp"
        if "content" in value:
            return "jsonl"
    return None


def _detect_document(head: str) -> str | None:
    if graph_keys(head):
        return "mcp"
    keys = array_keys(head)
    if "conversations" in keys:
        return _marked(head)
    return "mem0" if any(key in LIST_KEYS for key in keys) else None


def _marked(head: str) -> str | None:
    return next((name for name, mark in _MARKS if mark.search(head)), None)


def _object(line: str) -> dict[str, Any]:
    try:
        value = parse(line)
    except BadJson:
        return {}
    return value if isinstance(value, dict) else {}
