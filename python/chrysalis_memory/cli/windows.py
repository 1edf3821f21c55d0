"""A window of turns from a file or from standard input: a transcript, JSON, or plain text."""

from __future__ import annotations

import re
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, Final, Literal, TypeAlias

from chrysalis_memory.cli.moving import as_file
from chrysalis_memory.context import ContextWindow, Turn
from chrysalis_memory.context.transcripts import Transcript, TranscriptFormat, read_transcripts, transcript_format
from chrysalis_memory.errors import Malformed
from chrysalis_memory.ghost.staleness import GHOST_PREFIX
from chrysalis_memory.importing.json_text import BadJson, parse
from chrysalis_memory.importing.text import Unreadable, read_text
from chrysalis_memory.records import ImportProblem

__all__ = ["Format", "Found", "read_window"]

Format: TypeAlias = Literal["auto", "claude-code", "chatgpt", "json", "text"]

TEXT_BYTES_MAX: Final = 16 << 20
"""Largest text, and largest window as JSON: more than any model reads. Transcripts have bounds of their own."""

NAME_LETTERS_MAX: Final = 80
"""The name of a conversation that has no title: a line of a list."""

TITLES_SHOWN: Final = 12
"""Conversations that a question which one is meant lists."""

PROBLEMS_MAX: Final = 100
"""Records that were left out, the last so many of them."""

# As `ContextWindow.as_text` writes it, so that what was resumed and worked on can be saved again.
_HEADING: Final = re.compile(r"(user|assistant|system|tool|developer)(?: \(([^()\n]{1,200})\))?: ", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A window, what its program calls the conversation, and records that were left out of it."""

    window: ContextWindow
    id: str = ""
    title: str = ""
    left_out: tuple[ImportProblem, ...] = ()

    @property
    def name(self) -> str:
        """The title, or else how the first turn of a user begins."""
        asked = (turn.content for turn in self.window.turns if turn.role == "user" and turn.content.strip())
        return self.title or shorten(next(asked, "")[:1_000], NAME_LETTERS_MAX, placeholder="…")


def read_window(source: str, format: Format = "auto", conversation: str | None = None) -> Found:
    """The window that a file or the folder of an export holds; `-` reads standard input.

    `conversation` chooses one of several, by its number, its id or words of its title. Raises `Malformed` for a file of
    another shape, and `ValueError` for an empty one or an unclear choice.
    """
    if source == "-" and sys.stdin.isatty():
        raise ValueError("name a file, or pipe text into this command")
    with as_file(source) as path:
        try:
            found = _read(path, format, conversation)
        except Unreadable as error:
            raise Malformed(f"{_name(source)}: {error}") from None
    if not found.window.turns:
        raise ValueError(f"{_name(source)} says nothing")
    return found


def _read(path: Path, format: Format, conversation: str | None) -> Found:
    kind = transcript_format(path) if format == "auto" else format
    if kind == "claude-code" or kind == "chatgpt":
        return _chosen(path, kind, conversation)
    if conversation is not None:
        raise ValueError("only transcripts hold conversations to choose from")
    if format != "text" and (window := _from_json(path, must=format == "json")) is not None:
        return Found(window)
    return Found(from_text(read_text(path, TEXT_BYTES_MAX)))


def _chosen(path: Path, kind: TranscriptFormat, conversation: str | None) -> Found:
    """The one conversation that is meant; the others are read past, one at a time."""
    number = 0
    fits: list[Transcript] = []
    titles: list[str] = []
    problems: deque[ImportProblem] = deque(maxlen=PROBLEMS_MAX)
    for item in read_transcripts(path, kind):
        if isinstance(item, ImportProblem):
            problems.append(item)
            continue
        number += 1
        if _is_meant(item, number, conversation) and len(fits) < 2:
            fits.append(item)
        if len(titles) < TITLES_SHOWN:
            titles.append(f"{number} {item.title or item.id!r}")
    if len(fits) == 1:
        return Found(fits[0].window, fits[0].id, fits[0].title, tuple(problems))
    if not number:
        raise Malformed(f"no conversation could be read: {problems[0].what if problems else 'there is none'}")
    several, more = "several conversations fit" if fits else "no conversation fits", "; ..." * (number > len(titles))
    raise ValueError(f"{several}; choose one of {number} with --conversation: {'; '.join(titles)}{more}")


def _is_meant(transcript: Transcript, number: int, conversation: str | None) -> bool:
    if conversation is None:
        return True
    if conversation.isdecimal():
        return number == int(conversation[:9])
    return conversation == transcript.id or conversation.casefold() in transcript.title.casefold()


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
