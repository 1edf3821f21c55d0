"""How a crystal lies in a memory: words that recall finds, a header, and the rest in parts.

One operation holds little, and a crystal may be large. Its data are one JSON text, cut into parts that each fit one
operation; the header says how many there are and what their digest is. Whoever reads one trusts nothing of that: any
member of the space may have written it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from chrysalis_memory._core import Memory
from chrysalis_memory.context import _checks
from chrysalis_memory.context.crystal import BRANCH_DEPTH_MAX, StateCrystal
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.context.window import ContextWindow
from chrysalis_memory.errors import Malformed, NotFound, TooLarge
from chrysalis_memory.importing.json_text import BadJson, parse
from chrysalis_memory.records import from_ms, iso, to_ms

__all__ = [
    "CRYSTAL_BYTES_MAX",
    "HEADER_KEY",
    "MEMORY_TYPE",
    "Header",
    "Laid",
    "as_it_stands",
    "header_in",
    "lay_out",
    "missing_parts",
    "read_crystal",
    "read_header",
]

MEMORY_TYPE: Final = "crystal"

CRYSTAL_BYTES_MAX: Final = 4 << 20
"""Bytes of one crystal's data: a window compressed to a million tokens. The store writes the memory's row again with
each part, so that a larger one would take long."""

_FORMAT = 1
_PARTS_MAX = 1_024
HEADER_KEY: Final = "crystal"
_TASK_LETTERS = 200
_MOMENTS = timedelta(seconds=1)

# What content, header or part share their operation with: ids, names, the header.
_RESERVED_BYTES = 8 << 10


@dataclass(frozen=True)
class Header:
    """What a list says of a crystal without reading its data."""

    agent: str
    at: datetime
    task: str
    summary_tokens: int
    focus_tokens: int
    turns: int
    parent: str | None
    reason: str | None
    depth: int
    parts: int
    size: int
    digest: str

    def to_json(self) -> dict[str, Any]:
        """The header as it stands in the metadata."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return told | {"at": iso(self.at), "format": _FORMAT}

    @classmethod
    def from_json(cls, told: Any) -> Header:
        """The header that somebody wrote. Raises `Malformed`."""
        if not isinstance(told, Mapping):
            raise Malformed("it has no header of a crystal")
        if told.get("format") != _FORMAT:
            raise Malformed(f"its header is of format {str(told.get('format'))[:20]!r}; this version reads {_FORMAT}")
        try:
            return cls(**{name: check(name, told.get(name)) for name, check in _CHECKS.items()})
        except (ValueError, TypeError, TooLarge) as error:
            raise Malformed(f"its header is no crystal's: {error}") from None


@dataclass(frozen=True)
class Laid:
    """A crystal as it is written: the words of the memory, the metadata of its first write, and of those after."""

    content: str
    first: dict[str, Any]
    rest: tuple[dict[str, Any], ...]

    def is_begun_in(self, memory: Memory) -> bool:
        """Whether the memory is this crystal, of which parts may be missing."""
        try:
            return bool(read_header(memory).to_json() == self.first[HEADER_KEY])
        except (Malformed, NotFound):
            return False

    def parts_of_first(self) -> dict[str, Any]:
        """What the first write says beside the header."""
        return {key: part for key, part in self.first.items() if key != HEADER_KEY}


def lay_out(crystal: StateCrystal, payload_bytes_max: int) -> Laid:
    """The crystal in pieces of which each fits one operation. Raises `TooLarge` above `CRYSTAL_BYTES_MAX`."""
    text = json.dumps(_told(crystal), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    size = len(text.encode("utf-8"))
    if size > CRYSTAL_BYTES_MAX:
        hint = "Crystallize with a smaller budget of tokens, or keep less word for word."
        raise TooLarge(
            f"the crystal has {size} bytes; at most {CRYSTAL_BYTES_MAX} are allowed",
            hint=hint,
            size=size,
            limit=CRYSTAL_BYTES_MAX,
        )
    room = max(payload_bytes_max - _RESERVED_BYTES, payload_bytes_max // 2)
    parts = [{_key(number): part} for number, part in enumerate(split(text, room))]
    content = _content(crystal, room)
    header = {HEADER_KEY: _header(crystal, len(parts), size, _digest(text)).to_json()}
    if _json_bytes(parts[0]) + len(content.encode("utf-8")) <= room:
        return Laid(content, header | parts[0], tuple(parts[1:]))
    return Laid(content, header, tuple(parts))


def read_header(memory: Memory) -> Header:
    """What the memory says of itself as a crystal. Raises `NotFound` if it is none, `Malformed` if it lies."""
    return _header_of(memory, _metadata(memory))


def header_in(text: str | None) -> Header | None:
    """The header in a JSON text; none if there is none that can be read."""
    try:
        return None if text is None else Header.from_json(parse(text))
    except (BadJson, Malformed):
        return None


def missing_parts(memory: Memory) -> int:
    """How many parts of the crystal have not come yet. Raises what `read_header` does."""
    metadata = _metadata(memory)
    header = _header_of(memory, metadata)
    return sum(1 for number in range(header.parts) if _key(number) not in metadata)


def read_crystal(memory: Memory) -> StateCrystal:
    """The crystal that a memory holds, as it was saved.

    Raises `NotFound` if the memory is none, or with the code `crystal_incomplete` if parts of it have not come yet;
    `Malformed` if what came is no crystal.
    """
    metadata = _metadata(memory)
    header = _header_of(memory, metadata)
    told = _parsed(memory.id, _joined(memory.id, header, metadata))
    told["focus_fragments"] = _with_words(memory.id, told)
    try:
        crystal = StateCrystal.from_dict({**told, "crystal_id": memory.id})
    except (Malformed, TooLarge) as error:
        raise _bad(memory.id, str(error)) from None
    if "history_summary" not in told:
        crystal = replace(crystal, history_summary=_summary_of(crystal.window))
    return as_it_stands(crystal, memory)


def as_it_stands(crystal: StateCrystal, memory: Memory) -> StateCrystal:
    """The crystal with the life that its memory has now: cherished, or until when."""
    end = memory.expires_at
    if end is None:
        return replace(crystal, pinned=True)
    lasts = max(end - crystal.timestamp, timedelta(milliseconds=1))
    # Between saying when it ends and writing that, moments pass.
    return replace(crystal, pinned=False, ttl=crystal.ttl if abs(lasts - crystal.ttl) < _MOMENTS else lasts)


def split(text: str, bytes_max: int) -> list[str]:
    """The text in pieces that take at most so many bytes as JSON; at least one."""
    pieces: list[str] = []
    start = 0
    while start < len(text) or not pieces:
        count = bytes_max
        while (size := _json_bytes(text[start : start + count])) > bytes_max:
            count = max(1, min(count, len(text) - start) * bytes_max // size - 1)
        pieces.append(text[start : start + count])
        start += count
    return pieces


def _json_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8"))


def _key(number: int) -> str:
    return f"{HEADER_KEY}.{number:04}"


def _digest(text: str) -> str:
    return hashlib.sha384(text.encode("utf-8")).hexdigest()


def _header(crystal: StateCrystal, parts: int, size: int, digest: str) -> Header:
    return Header(
        agent=crystal.agent,
        at=crystal.timestamp,
        task=crystal.task_state.task[:_TASK_LETTERS],
        summary_tokens=crystal.summary_tokens,
        focus_tokens=crystal.focus_tokens,
        turns=len(crystal.window),
        parent=crystal.parent_crystal,
        reason=crystal.branch_reason,
        depth=crystal.branch_depth,
        parts=parts,
        size=size,
        digest=digest,
    )


def _told(crystal: StateCrystal) -> dict[str, Any]:
    """The crystal as plain data, without what its memory says itself, and no words twice."""
    told = crystal.to_dict()
    for name in ("crystal_id", "pinned"):
        del told[name]
    words = {turn.position: turn.content for turn in crystal.window.turns}
    for fragment in told["focus_fragments"]:
        if words.get(fragment["position"]) == fragment["content"]:
            del fragment["content"]
    if crystal.history_summary == _summary_of(crystal.window):
        del told["history_summary"]
    return told


def _summary_of(window: ContextWindow) -> str:
    """What a projector calls the summary of a window: all that is not preserved."""
    return ContextWindow(turn for turn in window.turns if turn.linearity_class is not Linearity.PRESERVED).as_text()


def _with_words(id: str, told: dict[str, Any]) -> list[Any]:
    fragments, window = told.get("focus_fragments", []), told.get("window")
    turns = window.get("turns") if isinstance(window, Mapping) else None
    if not isinstance(fragments, list) or not isinstance(turns, list):
        raise _bad(id, "it has no window or no fragments")
    words = {turn.get("position", 0): turn.get("content") for turn in turns if _is_placed(turn)}
    return [{"content": words.get(one.get("position")), **one} if _is_placed(one) else one for one in fragments]


def _is_placed(told: Any) -> bool:
    return isinstance(told, Mapping) and isinstance(told.get("position", 0), int)


def _content(crystal: StateCrystal, bytes_max: int) -> str:
    """What recall finds: the task, the summary, and what was kept word for word."""
    said = "\n\n".join(one for one in _paragraphs(crystal) if one.strip())
    return said.encode("utf-8")[:bytes_max].decode("utf-8", "ignore")


def _paragraphs(crystal: StateCrystal) -> Iterable[str]:
    state = crystal.task_state
    yield f"Checkpoint of {crystal.agent}" + (f": {state.task}" if state.task.strip() else "")
    if crystal.branch_reason:
        yield f"Branch: {crystal.branch_reason}"
    if state.done:
        yield "Done: " + "; ".join(state.done)
    if state.next_steps:
        yield "Next: " + "; ".join(state.next_steps)
    yield crystal.history_summary
    for fragment in crystal.focus_fragments:
        yield f"[{fragment.hint}] {fragment.content}"


def _metadata(memory: Memory) -> Mapping[str, Any]:
    if memory.memory_type != MEMORY_TYPE:
        raise NotFound(f"memory {memory.id!r} is no crystal", id=memory.id)
    try:
        return memory.metadata
    except (ValueError, RecursionError) as error:
        raise _bad(memory.id, f"its metadata are no JSON: {str(error)[:80]}") from None


def _header_of(memory: Memory, metadata: Mapping[str, Any]) -> Header:
    try:
        return Header.from_json(metadata.get(HEADER_KEY))
    except Malformed as error:
        raise _bad(memory.id, str(error)) from None


def _joined(id: str, header: Header, metadata: Mapping[str, Any]) -> str:
    parts = [metadata.get(_key(number)) for number in range(header.parts)]
    come = [part for part in parts if isinstance(part, str)]
    if len(come) < len(parts):
        raise NotFound(
            f"of crystal {id!r} {len(come)} of {len(parts)} parts are here",
            code="crystal_incomplete",
            hint="The others are on their way from the replica that made it: sync again.",
            id=id,
        )
    text = "".join(come)
    try:
        holds = len(text) <= CRYSTAL_BYTES_MAX and _digest(text) == header.digest
    except UnicodeEncodeError:
        holds = False
    if not holds:
        raise _bad(id, "its parts are not those that its header names")
    return text


def _parsed(id: str, text: str) -> dict[str, Any]:
    try:
        told = parse(text)
    except BadJson as error:
        raise _bad(id, f"its data {error}") from None
    if not isinstance(told, dict):
        raise _bad(id, "its data are no object")
    return told


def _bad(id: str, what: str) -> Malformed:
    hint = "Somebody wrote what is no crystal, or wrote over one: `history()` says who. Compost it."
    return Malformed(f"crystal {id!r} can't be read: {what}", code="crystal_malformed", hint=hint, id=id)


def _optional_text(name: str, value: Any) -> str | None:
    return None if value is None else _checks.short_text(name, value)


def _within(most: int, least: int = 0) -> Any:
    def check(name: str, value: Any) -> int:
        number = _checks.position(name, value)
        if not least <= number <= most:
            raise ValueError(f"{name} is {number}; it must lie between {least} and {most}")
        return number

    return check


_CHECKS: Final[dict[str, Any]] = {
    "agent": _checks.short_text,
    "at": lambda name, value: from_ms(to_ms(_checks.text(name, value, 64))),
    "task": lambda name, value: _checks.text(name, value, 4 * _TASK_LETTERS),
    "summary_tokens": _checks.position,
    "focus_tokens": _checks.position,
    "turns": _checks.position,
    "parent": _optional_text,
    "reason": _optional_text,
    "depth": _within(BRANCH_DEPTH_MAX),
    "parts": _within(_PARTS_MAX, 1),
    "size": _within(CRYSTAL_BYTES_MAX),
    "digest": lambda name, value: _checks.text(name, value, 96),
}
