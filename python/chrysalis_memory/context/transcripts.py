"""Windows from the files in which other programs keep what was said: Claude Code's sessions, and exports of ChatGPT.

What tools were asked and what they answered is droppable, and so is what a model thought to itself. Nothing is guessed
from the words: only focus marks and hints preserve a turn. One rule goes by what the file says itself: an answer of a
tool that is marked as an error is required, so that it stays in substance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from chrysalis_memory.context._transcript import Said, window_of
from chrysalis_memory.context.claude_code import is_session, read_session
from chrysalis_memory.context.window import ContextWindow
from chrysalis_memory.importing.chatgpt import branch, is_seen, text_of_parts
from chrysalis_memory.importing.chats import each_conversation, object_at, optional_text
from chrysalis_memory.importing.detect import detect, export_files
from chrysalis_memory.importing.record import BadRecord, text_of
from chrysalis_memory.importing.text import Unreadable
from chrysalis_memory.records import ImportProblem

__all__ = ["TRANSCRIPT_FORMATS", "Transcript", "TranscriptFormat", "read_transcripts", "transcript_format"]

TranscriptFormat: TypeAlias = Literal["claude-code", "chatgpt"]
TRANSCRIPT_FORMATS: Final = ("claude-code", "chatgpt")


@dataclass(frozen=True)
class Transcript:
    """One conversation of a file."""

    id: str
    """What the program calls it."""
    title: str
    """Its title, or what was told of it in short; may be empty."""
    window: ContextWindow


def read_transcripts(
    path: str | PathLike[str], format: TranscriptFormat | None = None
) -> Iterator[Transcript | ImportProblem]:
    """The conversations of a file, or of the folder of an export, in order; problems with their place, as they come.

    A session of Claude Code is one file and one conversation, an export of ChatGPT holds many. Without a format, the
    content tells. Raises `ValueError` for another format; what is wrong with a file is yielded, not raised.

    >>> import pathlib, tempfile
    >>> session = pathlib.Path(tempfile.mkdtemp(), "session.jsonl")
    >>> _ = session.write_text('{"type": "user", "uuid": "1", "message": {"role": "user", "content": "Which cone?"}}')
    >>> [one.window.as_text() for one in read_transcripts(session)]
    ['user: Which cone?']
    """
    if format is not None and format not in TRANSCRIPT_FORMATS:
        raise ValueError(f"format is {format!r}; it must be one of {', '.join(TRANSCRIPT_FORMATS)}")
    return _read(Path(path), format)


def _read(path: Path, format: TranscriptFormat | None) -> Iterator[Transcript | ImportProblem]:
    try:
        found = format or transcript_format(path)
        if found is None:
            raise Unreadable(path, "is neither a session of Claude Code nor an export of ChatGPT")
        if found == "claude-code":
            yield from _session(path)
        else:
            for file in export_files(path) if path.is_dir() else [path]:
                yield from _export(file)
    except Unreadable as error:
        yield error.problem


def transcript_format(path: Path) -> TranscriptFormat | None:
    """What the content says that it is; None if neither. Raises `Unreadable`."""
    if path.is_file() and is_session(path):
        return "claude-code"
    return "chatgpt" if detect(path) == "chatgpt" else None


def _session(path: Path) -> Iterator[Transcript | ImportProblem]:
    session = read_session(path)
    yield from session.problems
    try:
        yield Transcript(session.id or path.stem, session.title, window_of(session.said))
    except BadRecord as error:
        yield ImportProblem(str(path), 0, str(error))


def _export(path: Path) -> Iterator[Transcript | ImportProblem]:
    for found in each_conversation(path, _conversation):
        yield found if isinstance(found, ImportProblem) else found.value


def _conversation(value: dict[str, Any]) -> Transcript:
    mapping = object_at(value.get("mapping"), "mapping")
    identity = optional_text(value.get("conversation_id") or value.get("id"), "id")
    nodes = (mapping[node] for node in branch(mapping, value.get("current_node")))
    said = [one for node in nodes if (one := _message(object_at(node, "node").get("message"))) is not None]
    return Transcript(identity, optional_text(value.get("title"), "title"), window_of(said))


def _message(value: Any) -> Said | None:
    """What a message says; None for the root and for what the user never saw, unless a tool was at work."""
    if value is None:
        return None
    message = object_at(value, "message")
    content = object_at(message.get("content"), "content")
    role = optional_text(object_at(message.get("author"), "author").get("role"), "role")
    at = message.get("create_time")
    if is_seen(message, role, content):
        return Said(role, text_of_parts(content), at)
    if role == "tool":
        return Said("tool", _words(content), at)
    if role == "assistant" and message.get("recipient", "all") not in ("all", None):
        return Said("tool_call", _words(content), at)
    return None


def _words(content: dict[str, Any]) -> str:
    """What a tool was told, or told: its text, or the texts among its parts."""
    if isinstance(content.get("text"), str):
        return text_of(content["text"], "text")
    parts = content.get("parts")
    return "\n\n".join(part for part in parts if isinstance(part, str)) if isinstance(parts, list) else ""
