"""A window of turns from a file or from standard input: as JSON, or plain text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from chrysalis_memory.cli.moving import as_file
from chrysalis_memory.context import ContextWindow, Turn
from chrysalis_memory.errors import Malformed
from chrysalis_memory.ghost.staleness import GHOST_PREFIX
from chrysalis_memory.importing.json_text import BadJson, parse
from chrysalis_memory.importing.text import Unreadable, read_text

__all__ = ["Format", "read_window"]

Format: TypeAlias = Literal["auto", "json", "text"]

TEXT_BYTES_MAX: Final = 16 << 20
"""Largest text, and largest window as JSON: more than any model reads."""

# As `ContextWindow.as_text` writes it, so that what was resumed and worked on can be saved again.
_HEADING: Final = re.compile(r"(user|assistant|system|tool|developer)(?: \(([^()\n]{1,200})\))?: ", re.IGNORECASE)


def read_window(source: str, format: Format = "auto") -> ContextWindow:
    """The window that a file holds; `-` reads standard input.

    Raises `Malformed` for a file of another shape, and `ValueError` for an empty one.
    """
    with as_file(source) as path:
        try:
            window = _read(path, format)
        except Unreadable as error:
            raise Malformed(f"{_name(source)}: {error}") from None
    if not window.turns:
        raise ValueError(f"{_name(source)} says nothing")
    return window


def _read(path: Path, format: Format) -> ContextWindow:
    if format in {"auto", "json"}:
        window = _from_json(path, must=format == "json")
        if window is not None:
            return window
    return from_text(read_text(path, TEXT_BYTES_MAX))


def _from_json(path: Path, *, must: bool) -> ContextWindow | None:
    """A window as `ContextWindow.to_dict` tells it, or a list of messages."""
    try:
        told = parse(read_text(path, TEXT_BYTES_MAX))
    except BadJson as error:
        if must:
            raise Malformed(f"the file {error}") from None
        return None
    if isinstance(told, dict) and isinstance(told.get("value"), dict):
        told = told["value"]  # as `chrysalis context resume --json` prints it
    if isinstance(told, dict) and "turns" in told:
        return ContextWindow.from_dict(told)
    if isinstance(told, list) and told and all(_is_message(one) for one in told):
        return ContextWindow(Turn(one["role"], one["content"], position=place) for place, one in enumerate(told))
    if must:
        raise Malformed("the file holds neither a window nor a list of messages")
    return None


def _is_message(told: Any) -> bool:
    return isinstance(told, dict) and isinstance(told.get("role"), str) and isinstance(told.get("content"), str)


def from_text(text: str) -> ContextWindow:
    """A window from words: a turn for each paragraph that begins with a role, or one turn of all of it.

    >>> [(turn.role, turn.content) for turn in from_text("user: Which?\\n\\nassistant: Six.\\n\\nSlowly.").turns]
    [('user', 'Which?'), ('assistant', 'Six.\\n\\nSlowly.')]
    >>> [turn.role for turn in from_text("Just some notes.").turns]
    ['user']
    """
    if text.startswith(GHOST_PREFIX):
        text = text.partition("\n")[2]
    text = text.strip()
    if not _HEADING.match(text):
        return ContextWindow([Turn("user", text)] if text else [])
    said: list[tuple[re.Match[str], list[str]]] = []
    for paragraph in text.split("\n\n"):
        if (heading := _HEADING.match(paragraph)) is not None:
            said.append((heading, [paragraph[heading.end() :]]))
        else:
            said[-1][1].append(paragraph)
    return ContextWindow(_turn(place, heading, parts) for place, (heading, parts) in enumerate(said))


def _turn(place: int, heading: re.Match[str], paragraphs: list[str]) -> Turn:
    return Turn(heading[1].lower(), "\n\n".join(paragraphs), name=heading[2], position=place)


def _name(source: str) -> str:
    return "standard input" if source == "-" else source
