"""A session of Claude Code: a file of JSON lines, each a record of what happened, most of them with a parent.

There is no published description of the format. What is read here are records of the types `user` and `assistant` with
blocks of text, thinking, tool calls and tool results; all others are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chrysalis_memory.context._transcript import Said
from chrysalis_memory.context.limits import TURNS_MAX, WINDOW_CHARACTERS_MAX
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.importing.chats import object_at, optional_text
from chrysalis_memory.importing.json_text import BadJson, parse
from chrysalis_memory.importing.record import BadRecord, text_of
from chrysalis_memory.importing.text import Unreadable, read_head, read_lines
from chrysalis_memory.records import ImportProblem

__all__ = ["Session", "is_session", "read_session"]

_SPEAKERS: Final = ("user", "assistant")
_HEAD_BYTES: Final = 256 << 10
_HEAD_LINES: Final = 20


@dataclass(frozen=True)
class _Record:
    uuid: str
    parent: str
    said: tuple[Said, ...]
    answers: bool
    """Whether it holds answers of tools and nothing else."""
    summary: bool
    """Whether it tells what was said before the program compacted its context."""


@dataclass(frozen=True)
class Session:
    """What was read of a session, and what could not be read."""

    id: str
    title: str
    said: list[Said]
    problems: list[ImportProblem]


def is_session(path: Path) -> bool:
    """Whether one of the first lines of a file is such a record. Raises `Unreadable`."""
    lines = read_head(path, _HEAD_BYTES).split("\n", _HEAD_LINES)[:_HEAD_LINES]
    return any('"type"' in line and _is_record(line) for line in lines)


def _is_record(line: str) -> bool:
    try:
        told = parse(line)
    except BadJson:
        return False
    return isinstance(told, dict) and (
        (told.get("type") in _SPEAKERS and isinstance(told.get("message"), dict))
        or (told.get("type") == "summary" and "leafUuid" in told)
    )


def read_session(path: Path) -> Session:
    """The branch of the session that was gone on with. Bad lines become problems, and the rest goes on.

    Left out are what other agents said among themselves (side chains), what the program put in for the model alone,
    and branches that were taken back. An answer of a tool belongs to the branch of its call. What compaction told of
    turns that stand in the file themselves is droppable.
    """
    reading = _Reading(path)
    try:
        for line in read_lines(path):
            reading.take(line)
    except Unreadable as error:
        reading.problems.append(error.problem)
    return Session(reading.id, reading.title, list(_told(_branch(reading.records))), reading.problems)


class _Reading:
    """A session while its lines come."""

    def __init__(self, path: Path) -> None:
        self.id, self.title = "", ""
        self.records: dict[str, _Record] = {}
        self.problems: list[ImportProblem] = []
        self._path = path
        self._turns, self._size = 0, 0

    def take(self, line: tuple[int, str] | ImportProblem) -> None:
        if isinstance(line, ImportProblem):
            self.problems.append(line)
            return
        number, text = line
        try:
            self._record(object_at(parse(text), "the line"), number)
        except (BadJson, BadRecord) as error:
            self.problems.append(ImportProblem(str(self._path), number, str(error)))

    def _record(self, told: dict[str, Any], number: int) -> None:
        if told.get("type") == "summary":
            self.title = self.title or optional_text(told.get("summary"), "summary")[:200]
            return
        self.id = self.id or optional_text(told.get("sessionId"), "sessionId")
        record = _record(told, number)
        self._turns += len(record.said)
        self._size += sum(len(one.words) for one in record.said)
        if self._turns > TURNS_MAX or self._size > WINDOW_CHARACTERS_MAX:
            raise Unreadable(self._path, "holds more than a window takes", number)
        # Some versions wrote a record twice: the first one stays where it is.
        self.records.setdefault(record.uuid, record)


def _record(told: dict[str, Any], number: int) -> _Record:
    parent = optional_text(told.get("parentUuid") or told.get("logicalParentUuid"), "parentUuid")
    uuid = optional_text(told.get("uuid"), "uuid") or f"line {number}"
    if told.get("type") not in _SPEAKERS or told.get("isMeta") is True or told.get("isSidechain") is True:
        return _Record(uuid, parent, (), answers=False, summary=False)
    said = tuple(_blocks(object_at(told.get("message"), "message"), str(told["type"]), told.get("timestamp")))
    answers = bool(said) and all(one.role == "tool" for one in said)
    return _Record(uuid, parent, said, answers, summary=told.get("isCompactSummary") is True)


def _blocks(message: dict[str, Any], role: str, at: Any) -> Iterator[Said]:
    content = message.get("content")
    if isinstance(content, str):
        yield Said(role, text_of(content, "content"), at)
    elif isinstance(content, list):
        for block in content:
            if (said := _block(object_at(block, "block"), role, at)) is not None:
                yield said
    else:
        raise BadRecord("content is neither text nor a list")


def _block(block: dict[str, Any], role: str, at: Any) -> Said | None:
    kind = block.get("type")
    if kind == "text":
        return Said(role, text_of(block.get("text"), "text"), at)
    if kind == "thinking":
        return Said("thinking", optional_text(block.get("thinking"), "thinking"), at)
    if kind == "tool_use":
        called = optional_text(block.get("name"), "name")
        arguments = _json(block.get("input"))
        return Said("tool_call", text_of(f"{called} {arguments}", "input"), at)
    if kind == "tool_result":
        failed = Linearity.REQUIRED if block.get("is_error") is True else None
        return Said("tool", _answer(block.get("content")), at, failed)
    return None


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise BadRecord("input is nested too deeply") from None


def _answer(content: Any) -> str:
    if isinstance(content, list):
        texts = (block.get("text") for block in content if isinstance(block, dict) and block.get("type") == "text")
        return "\n\n".join(text_of(text, "text") for text in texts)
    return optional_text(content, "content")


def _branch(records: dict[str, _Record]) -> Iterator[_Record]:
    """The records from the first to the last thing said, in the order of the file, without what was taken back."""
    order = list(records)
    place = {uuid: number for number, uuid in enumerate(order)}
    kept: set[str] = set()
    number = next((at for at in range(len(order) - 1, -1, -1) if records[order[at]].said), -1)
    while number >= 0:
        record = records[order[number]]
        kept.add(record.uuid)
        # Parents may be missing, or lie ahead in a file that lies: then what stands before goes on. So it ends.
        parent = place.get(record.parent, number)
        number = parent if parent < number else number - 1
    for uuid, record in records.items():
        if uuid in kept or (record.answers and record.parent in kept):
            yield record


def _told(branch: Iterator[_Record]) -> Iterator[Said]:
    before = False
    for record in branch:
        for one in record.said:
            if record.summary:
                stays = Linearity.DROPPABLE if before else Linearity.REQUIRED
                yield Said("system", one.words, one.at, stays, "summary")
            else:
                yield one
        before = before or bool(record.said)
