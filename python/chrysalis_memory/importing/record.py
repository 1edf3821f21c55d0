"""The shape that every importer delivers: a record as `remember_many` takes it, checked, and named by its source.

The id of an imported memory is a digest of where it comes from, never of when it was imported: importing the same
thing twice gives the same ids, so that it is stored once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from chrysalis_memory._metadata import DEPTH_MAX, deeper_than
from chrysalis_memory.importing.limits import CONTENT_BYTES_MAX, LIST_MAX, NAME_BYTES_MAX
from chrysalis_memory.records import from_ms, iso, to_ms

Record: TypeAlias = dict[str, Any]
"""Arguments of `remember`, by name. Always holds `id` and `content`."""


class BadRecord(ValueError):
    """One record cannot become a memory; the message says why."""


def derived_id(*source: str) -> str:
    """A stable id of 32 hex digits for what a source calls by these names.

    >>> derived_id("chatgpt", "conversation-1", "message-9") == derived_id("chatgpt", "conversation-1", "message-9")
    True
    """
    joined = json.dumps(source, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return hashlib.sha384(b"chrysalis import\0" + joined).hexdigest()[:32]


def text_of(value: Any, what: str) -> str:
    """The value, if it is text that UTF-8 can hold."""
    if not isinstance(value, str):
        raise BadRecord(f"{what} is {_kind(value)}, not text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadRecord(f"{what} holds half of a character (a lone surrogate)") from None
    return value


def name_of(value: Any, what: str) -> str:
    """The value, if it is short text: a tag, a speaker, a thread."""
    name = text_of(value, what).strip()
    if len(name.encode("utf-8")) > NAME_BYTES_MAX:
        raise BadRecord(f"{what} is longer than {NAME_BYTES_MAX} bytes")
    return name


def names_of(value: Any, what: str) -> tuple[str, ...]:
    """The value as distinct names, if it is one name or a list of them; order is kept, empty ones are dropped."""
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) > LIST_MAX:
        raise BadRecord(f"{what} has more than {LIST_MAX} entries")
    return tuple(dict.fromkeys(name for item in values if (name := name_of(item, what))))


def moment_of(value: Any, what: str) -> str:
    """The value as ISO 8601 text in UTC, if it is a time."""
    try:
        return iso(from_ms(to_ms(value)))
    except (ValueError, TypeError) as error:
        raise BadRecord(f"{what}: {error}") from None


def score_of(value: Any, what: str) -> float:
    """The value, if it is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord(f"{what} is {_kind(value)}, not a number")
    if not 0 <= value <= 1:
        raise BadRecord(f"{what} is {str(value)[:20]}; it must lie between 0 and 1")
    return float(value)


def metadata_of(value: Any, what: str = "metadata") -> dict[str, Any]:
    """The value, if it is a JSON object of bounded depth."""
    if not isinstance(value, Mapping):
        raise BadRecord(f"{what} is {_kind(value)}, not an object")
    if deeper_than(value, DEPTH_MAX):
        raise BadRecord(f"{what} is nested deeper than {DEPTH_MAX} levels")
    if len(text_of(json.dumps(value, ensure_ascii=False), what).encode()) > CONTENT_BYTES_MAX // 2:
        raise BadRecord(f"{what} is larger than {CONTENT_BYTES_MAX // 2 >> 10} KiB")
    return dict(value)


def content_of(value: Any) -> str:
    """The value, if it is text with something in it."""
    content = text_of(value, "content")
    if not content.strip():
        raise BadRecord("content is empty")
    return content


def in_parts(record: Record) -> Iterator[Record]:
    """The record itself, or several that together hold its content if that is too long for one memory."""
    parts = split_text(record["content"], CONTENT_BYTES_MAX)
    if len(parts) == 1:
        yield record
        return
    for number, part in enumerate(parts, 1):
        place = {**record.get("metadata", {}), "part": number, "parts": len(parts)}
        yield {**record, "id": derived_id(record["id"], str(number)), "content": part, "metadata": place}


def split_text(text: str, bytes_max: int) -> list[str]:
    """Pieces of at most so many bytes of UTF-8, cut at paragraphs, lines or words where there are any.

    >>> split_text("one two three", 8)
    ['one two', 'three']
    """
    data = text.encode("utf-8")
    pieces, start = [], 0
    while len(data) - start > bytes_max:
        end = _cut(data, start, start + bytes_max)
        pieces.append(data[start:end].decode("utf-8").strip())
        start = end
    pieces.append(data[start:].decode("utf-8").strip())
    return [piece for piece in pieces if piece]


def _cut(data: bytes, start: int, end: int) -> int:
    for mark in (b"\n\n", b"\n", b" "):
        found = data.rfind(mark, start + (end - start) // 2, end)
        if found > 0:
            return found + len(mark)
    while data[end] & 0xC0 == 0x80:  # the middle of a character
        end -= 1
    return end


def _kind(value: Any) -> str:
    if value is None:
        return "missing"
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)
