"""What chat exports have in common: a list of conversations, each a thread of messages with speaker and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from chrysalis_memory.importing.json_text import BadJson, Element, elements, parse, top_level
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

T = TypeVar("T")


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


@dataclass(frozen=True)
class Found(Generic[T]):
    """What was read of one conversation of an export, and where it stands."""

    line: int
    number: int
    value: T


def read_conversations(path: Path, source: str, read: Reader) -> Iterator[Record | ImportProblem]:
    """A record for each message of each conversation of an export; a bad conversation costs only itself."""
    for found in each_conversation(path, read):
        if isinstance(found, ImportProblem):
            yield found
        else:
            title = found.value.title[:60]
            where = f"conversation {found.number} ({title})" if title else f"conversation {found.number}"
            yield from _records(found.value, source, path, found.line, where)


def each_conversation(path: Path, read: Callable[[dict[str, Any]], T]) -> Iterator[Found[T] | ImportProblem]:
    """What `read` makes of each conversation of an export; what it refuses with `BadRecord` becomes a problem."""
    try:
        text = read_text(path)
        key = "conversations" if top_level(text) == "{" else None
        for number, element in enumerate(elements(text, key), 1):
            yield _found(path, element, number, read)
    except Unreadable as error:
        yield error.problem
    except BadJson as error:
        yield ImportProblem(str(path), error.line, str(error))


def _found(path: Path, element: Element, number: int, read: Callable[[dict[str, Any]], T]) -> Found[T] | ImportProblem:
    try:
        value = parse(element.text)
        if not isinstance(value, dict):
            raise BadRecord("is no JSON object")
        return Found(element.line, number, read(value))
    except BadJson as error:
        return ImportProblem(str(path), element.line + error.line - 1, f"conversation {number} {error}")
    except BadRecord as error:
        return ImportProblem(str(path), element.line, f"conversation {number}: {error}")


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
