"""What chat exports have in common: a list of conversations, each a thread of messages with speaker and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from chrysalis_memory.importing.json_text import BadJson, elements, parse, top_level
from chrysalis_memory.importing.record import (
    BadRecord,
    Record,
    content_of,
    derived_id,
    in_parts,
    moment_of,
    name_of,
    text_of,
)
from chrysalis_memory.importing.text import Unreadable, read_text
from chrysalis_memory.records import ImportProblem


class Message(NamedTuple):
    """One thing said in a conversation; `text` is empty when there is nothing to remember in it."""

    id: str
    speaker: str
    text: str
    at: Any


class Conversation(NamedTuple):
    """A thread; its messages come in the order in which they were said, a bad one as the error that it raised."""

    id: str
    title: str
    at: Any
    messages: list[Message | BadRecord]


Reader: TypeAlias = Callable[[dict[str, Any]], Conversation]


def read_conversations(path: Path, source: str, read: Reader) -> Iterator[Record | ImportProblem]:
    """A record for each message of each conversation of an export; a bad conversation costs only itself."""
    try:
        yield from _read_all(path, source, read)
    except Unreadable as error:
        yield error.problem
    except BadJson as error:
        yield ImportProblem(str(path), error.line, str(error))


def _read_all(path: Path, source: str, read: Reader) -> Iterator[Record | ImportProblem]:
    text = read_text(path)
    key = "conversations" if top_level(text) == "{" else None
    for number, element in enumerate(elements(text, key), 1):
        try:
            value = parse(element.text)
            if not isinstance(value, dict):
                raise BadRecord("is no JSON object")
            conversation = read(value)
        except BadJson as error:
            yield ImportProblem(str(path), element.line + error.line - 1, f"conversation {number} {error}")
        except BadRecord as error:
            yield ImportProblem(str(path), element.line, f"conversation {number}: {error}")
        else:
            where = (
                f"conversation {number} ({conversation.title[:60]})" if conversation.title else f"conversation {number}"
            )
            yield from _records(conversation, source, path, element.line, where)


def _records(
    conversation: Conversation, source: str, path: Path, line: int, where: str
) -> Iterator[Record | ImportProblem]:
    for number, message in enumerate(conversation.messages, 1):
        try:
            if isinstance(message, BadRecord):
                raise message
            if message.text.strip():
                yield from in_parts(_record(conversation, message, source))
        except BadRecord as error:
            yield ImportProblem(str(path), line, f"{where}, message {number}: {error}")


def _record(conversation: Conversation, message: Message, source: str) -> Record:
    thread = name_of(conversation.id, "conversation id")
    speaker = name_of(message.speaker, "speaker")
    identity = (message.id,) if message.id else (thread, speaker, message.text)
    record: Record = {
        "id": derived_id(source, *identity),
        "content": content_of(text_of(message.text, "text")),
        "memory_type": "episodic",
        "thread": thread,
        "speaker": speaker,
        "metadata": {"source": source},
    }
    if conversation.title:
        record["metadata"]["title"] = conversation.title
    at = message.at if message.at is not None else conversation.at
    if at is not None:
        record["occurred_at"] = moment_of(at, "time")
    return record


def object_at(value: Any, what: str) -> dict[str, Any]:
    """The value, if it is a JSON object."""
    if not isinstance(value, dict):
        raise BadRecord(f"{what} is no JSON object")
    return value


def optional_text(value: Any, what: str) -> str:
    """The value as text; empty if it is missing."""
    return "" if value is None else text_of(value, what)
