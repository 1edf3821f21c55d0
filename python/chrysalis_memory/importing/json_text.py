"""JSON that may be huge, hostile or broken in places.

A chat export is one JSON array of conversations. It is cut into its elements by looking at brackets and strings
alone; then each element is parsed by itself, so that one broken conversation costs itself and no other, memory holds
one parsed conversation at a time, and each has its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_TOKEN = re.compile(r'["{}\[\],]')
_STRING_END = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SPACE = re.compile(r"\s*")
_MEMBER = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*:\s*', re.DOTALL)


class BadJson(ValueError):
    """Text is not JSON, or not JSON that is accepted here; `line` counts from the beginning of that text."""

    def __init__(self, what: str, line: int = 1) -> None:
        super().__init__(what)
        self.line = line


class Element(NamedTuple):
    """One element of an array: its text, and the line on which it begins."""

    text: str
    line: int


def parse(text: str) -> Any:
    """The value of a JSON text; raises `BadJson` for what Python's parser would take or stumble over."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadJson(f"is no JSON: {error.msg} at column {error.colno}", error.lineno) from None
    except RecursionError:
        raise BadJson("is nested too deeply") from None
    except ValueError as error:
        # An integer of thousands of digits, which Python does not convert, or a constant such as NaN.
        raise BadJson(f"is no JSON that can be used: {str(error)[:80]}") from None


def elements(text: str, key: str | None = None) -> Iterator[Element]:
    """The elements of the top-level array, or of the array under `key` of the top-level object, in order."""
    start = _array_start(text, key)
    line, counted = 1, 0
    for first, end in _spans(text, start):
        line += text.count("\n", counted, first)
        counted = first
        yield Element(text[first:end], line)


def top_level(text: str) -> str:
    """The first character that is not white space: `[`, `{`, or whatever else; empty for blank text."""
    match = _SPACE.match(text)
    start = match.end() if match else 0
    return text[start : start + 1]


def array_keys(text: str) -> list[str]:
    """The keys of the top-level object whose values are arrays, in order, as far as the text goes."""
    keys = []
    try:
        for key, _ in _array_members(text):
            keys.append(key)
    except BadJson:
        pass
    return keys


def _array_start(text: str, key: str | None) -> int:
    if key is None:
        return _after_bracket(text, 0)
    for name, position in _array_members(text):
        if name == key:
            return position + 1
    raise BadJson(f"has no list named {key!r}")


def _after_bracket(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    start = match.end() if match else position
    if text[start : start + 1] != "[":
        raise BadJson("is no JSON list")
    return start + 1


def _array_members(text: str) -> Iterator[tuple[str, int]]:
    """Key and position of the opening bracket of each array in the top-level object, as soon as it is seen."""
    start = _SPACE.match(text)
    position = start.end() if start else 0
    if text[position : position + 1] != "{":
        return
    while member := _MEMBER.match(text, position + 1):
        if text[member.end() : member.end() + 1] == "[":
            yield member[1], member.end()
        position = _element_end(text, member.end())
        if text[position] != ",":
            return


def _spans(text: str, position: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each element from inside an opened bracket on, until that bracket closes."""
    while True:
        end = _element_end(text, position)
        space = _SPACE.match(text, position, end)
        first = space.end() if space else position
        if first < end:
            yield first, end
        if text[end] != ",":
            return
        position = end + 1


def _element_end(text: str, position: int) -> int:
    """Where the comma or the closing bracket after the element stands."""
    depth = 0
    while token := _TOKEN.search(text, position):
        mark, position = token[0], token.end()
        if mark == '"':
            position = _string_end(text, position)
        elif mark in "[{":
            depth += 1
        elif depth == 0:
            return token.start()
        elif mark != ",":
            depth -= 1
    raise BadJson("ends in the middle: the file is cut off", text.count("\n") + 1)


def _string_end(text: str, position: int) -> int:
    match = _STRING_END.match(text, position)
    if match is None:
        raise BadJson("a string has no end: the file is cut off", text.count("\n", 0, position) + 1)
    return match.end()


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
