"""Front matter of Markdown files: the small part of YAML that people write there, and nothing more.

Understood are `key: value`, `key: [a, b]` and a key followed by `- item` lines. Everything else in YAML (anchors,
tags, types, nesting) is left alone: a full parser would be a dependency, and a door.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Fields: TypeAlias = "dict[str, str | list[str]]"

_KEY = re.compile(r"([A-Za-z_][\w -]*?)\s*:(?:\s+(.*))?$")
_ITEM = re.compile(r"\s*-\s+(.*)$")
_FENCE = "---"


def split_front_matter(text: str) -> tuple[Fields, str, int]:
    """Fields by lower-case key, the text after them, and the number of lines that they took.

    >>> split_front_matter("---\\ntitle: Plan\\ntags: [a, b]\\n---\\nText")
    ({'title': 'Plan', 'tags': ['a', 'b']}, 'Text', 4)
    """
    lines = text.split("\n")
    if lines[0].rstrip() != _FENCE:
        return {}, text, 0
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() in (_FENCE, "..."):
            return _fields(lines[1:number]), "\n".join(lines[number + 1 :]), number + 1
    return {}, text, 0


def as_list(value: str | list[str] | None) -> list[str]:
    """A field as a list: `a, b` and `a b` with hashes are lists, too, as note programs write them."""
    if value is None:
        return []
    items = value if isinstance(value, list) else re.split(r",\s*|\s+(?=#)", value)
    return [name for item in items if (name := item.strip().lstrip("#"))]


def _fields(lines: list[str]) -> Fields:
    fields: Fields = {}
    key = ""
    for line in lines:
        if item := _ITEM.match(line):
            _append(fields, key, _unquoted(item[1]))
        elif (pair := _KEY.match(line)) and not line[:1].isspace():
            key = pair[1].lower()
            fields[key] = _value(pair[2] or "")
    return {key: value for key, value in fields.items() if value}


def _append(fields: Fields, key: str, item: str) -> None:
    if not key:
        return
    before = fields.get(key, "")
    fields[key] = [*before, item] if isinstance(before, list) else [item]


def _value(text: str) -> str | list[str]:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(item) for item in text[1:-1].split(",") if item.strip()]
    return _unquoted(text)


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text.split(" #", 1)[0].rstrip()
