"""How a checkpoint lies in a crystal: LangGraph's own bytes, compressed, as JSON text, and what tasks wrote beside it.

Whoever is a member of the space may have written what is read here, so all of it is bounded and checked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import get_checkpoint_id, writes_sort_key

from chrysalis_memory._core import Memory
from chrysalis_memory.context._crystal_codec import split
from chrysalis_memory.errors import Malformed, TooLarge
from chrysalis_memory.importing.json_text import BadJson, parse

_LOG: Final = logging.getLogger(__name__)

__all__ = [
    "TAG_LETTERS",
    "Place",
    "Saved",
    "Typed",
    "Write",
    "checkpoint_id",
    "in_groups",
    "read_writes",
    "tag",
    "tagged",
    "words_of",
    "write_key",
    "write_parts",
    "writes_in",
]

Typed: TypeAlias = tuple[str, bytes]
"""What LangGraph's serialisers make of a value: the name of a coding, and the bytes."""

TAG_LETTERS: Final = 200
"""Letters of a name that stands in a tag as it is."""

STATE_BYTES_MAX: Final = 64 << 20
"""Bytes of one value once it is no longer compressed."""

_FORMAT = 1
_SUMMARY_LETTERS = 2_000
_MESSAGES = 16  # the last ones are summed up
_WRITE = re.compile(r"write:(-?\d{1,9}):(.{1,800})\.(\d{4})", re.DOTALL)
_RESERVED_BYTES = 8 << 10  # ids, names and the keys of one operation


@dataclass(frozen=True)
class Place:
    """Where checkpoints follow one another: a thread, and a namespace in it (of a subgraph; empty for the graph)."""

    thread: str
    namespace: str = ""

    @classmethod
    def of(cls, config: RunnableConfig) -> Place:
        """The place that a configuration names. Raises `ValueError` if it names no thread."""
        told = config.get("configurable", {})
        if not str(told.get("thread_id") or "").strip():
            raise ValueError("the configuration names no thread: config={'configurable': {'thread_id': ...}}")
        return cls(str(told["thread_id"]), str(told.get("checkpoint_ns") or ""))

    def config(self, id: str) -> RunnableConfig:
        """The configuration that names a checkpoint here."""
        return {
            "configurable": {"thread_id": self.thread, "checkpoint_ns": self.namespace, "checkpoint_id": id},
        }


@dataclass(frozen=True)
class Saved:
    """A checkpoint as it is kept."""

    place: Place
    id: str
    parent: str | None
    """The checkpoint before it, by LangGraph's id."""
    checkpoint: Typed
    metadata: Typed

    def to_values(self) -> dict[str, Any]:
        """The checkpoint as JSON values, for the working memory of a crystal."""
        return {
            "format": _FORMAT,
            "thread": self.place.thread,
            "namespace": self.place.namespace,
            "id": self.id,
            "parent": self.parent,
            "checkpoint": _packed(self.checkpoint),
            "metadata": _packed(self.metadata),
        }

    @classmethod
    def from_values(cls, told: Any) -> Saved:
        """The checkpoint that somebody wrote. Raises `Malformed`."""
        if not isinstance(told, Mapping) or told.get("format") != _FORMAT:
            raise Malformed("the crystal holds no checkpoint that this version reads")
        texts = [told.get(name) for name in ("thread", "namespace", "id")]
        parent = told.get("parent")
        if not all(isinstance(text, str) for text in texts) or not isinstance(parent, str | None):
            raise Malformed("the crystal does not say which checkpoint it holds")
        thread, namespace, name = map(str, texts)
        return cls(
            Place(thread, namespace), name, parent, _unpacked(told.get("checkpoint")), _unpacked(told.get("metadata"))
        )


@dataclass(frozen=True)
class Write:
    """One value that a task wrote while the next checkpoint was under way."""

    task: str
    path: str
    index: int
    channel: str
    value: Typed

    @property
    def order(self) -> tuple[str, str, int]:
        """What writes are sorted by, so that they are applied again as they were."""
        return writes_sort_key(self.path, self.task, self.index)


def tag(kind: str, name: str) -> str:
    """A tag by which checkpoints are looked up; long names stand as their digest."""
    if len(name) > TAG_LETTERS:
        name = hashlib.sha384(name.encode("utf-8", "replace")).hexdigest()
    return f"{kind}:{name}"


def write_key(task: str, index: int) -> str:
    """The name of a write among the metadata of its checkpoint."""
    if len(task) > TAG_LETTERS:
        task = hashlib.sha384(task.encode("utf-8", "replace")).hexdigest()
    return f"write:{index}:{task}"


def write_parts(write: Write, payload_bytes_max: int) -> dict[str, Any]:
    """The metadata that hold a write: parts that each fit one operation."""
    told = [write.task, write.path, write.channel, *_packed(write.value)]
    pieces = split(json.dumps(told, ensure_ascii=False), _room(payload_bytes_max))
    key = write_key(write.task, write.index)
    return {f"{key}.{number:04}": [len(pieces), piece] for number, piece in enumerate(pieces)}


def in_groups(parts: Mapping[str, Any], payload_bytes_max: int) -> Iterator[dict[str, Any]]:
    """The parts in groups that each fit one operation."""
    room, group, size = _room(payload_bytes_max), dict[str, Any](), 0
    for key, part in parts.items():
        bytes_ = len(json.dumps(part, ensure_ascii=False).encode("utf-8")) + len(key.encode("utf-8"))
        if group and (size + bytes_ > room or len(group) == 64):
            yield group
            group, size = {}, 0
        group[key], size = part, size + bytes_
    if group:
        yield group


def writes_in(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What of a checkpoint's metadata are writes, with their keys."""
    return {key: part for key, part in metadata.items() if _WRITE.fullmatch(key)}


def read_writes(metadata: Mapping[str, Any]) -> list[Write]:
    """The writes of a checkpoint, in the order in which they are applied; those whose parts have not all come wait, and
    those that can't be read are passed over, with a line in the log."""
    pieces: dict[tuple[int, str], dict[int, Any]] = {}
    for key, part in metadata.items():
        if (match := _WRITE.fullmatch(key)) is not None:
            index, task, number = match.groups()
            pieces.setdefault((int(index), task), {})[int(number)] = part
    found = (_readable(index, numbered) for (index, _), numbered in pieces.items())
    return sorted((one for one in found if one is not None), key=lambda one: one.order)


def _readable(index: int, numbered: Mapping[int, Any]) -> Write | None:
    try:
        return _write(index, numbered)
    except (Malformed, TooLarge) as error:
        _LOG.warning("what a task wrote can't be read and is passed over: %s", error)
        return None


def _write(index: int, numbered: Mapping[int, Any]) -> Write | None:
    parts = list(_texts(numbered))
    if not parts:
        return None
    try:
        told = parse("".join(parts))
    except BadJson as error:
        raise Malformed(f"a write of the checkpoint {error}") from None
    if not isinstance(told, list) or len(told) != 5 or not all(isinstance(text, str) for text in told):
        raise Malformed("a write of the checkpoint is none")
    task, path, channel, *packed = told
    return Write(task, path, index, channel, _unpacked(packed))


def _texts(numbered: Mapping[int, Any]) -> Iterable[str]:
    """The pieces in order; none while some have not come."""
    first = numbered.get(0)
    count = first[0] if isinstance(first, list) and len(first) == 2 else None
    if not isinstance(count, int) or not 0 < count <= len(numbered):
        return []
    pieces = [numbered.get(number) for number in range(count)]
    texts = [piece[1] for piece in pieces if isinstance(piece, list) and len(piece) == 2 and isinstance(piece[1], str)]
    return texts if len(texts) == count else []


def _room(payload_bytes_max: int) -> int:
    return max(payload_bytes_max - _RESERVED_BYTES, payload_bytes_max // 2)


def _packed(value: Typed) -> list[str]:
    kind, data = value
    return [kind, base64.b64encode(zlib.compress(data)).decode("ascii")]


def _unpacked(told: Any) -> Typed:
    if not isinstance(told, list) or len(told) != 2 or not all(isinstance(text, str) for text in told):
        raise Malformed("a value of the checkpoint is not told as its coding and its bytes")
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(base64.b64decode(told[1], validate=True), STATE_BYTES_MAX)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise Malformed(f"a value of the checkpoint can't be unpacked: {error}") from None
    if inflate.unconsumed_tail:
        raise TooLarge(f"a value of the checkpoint has more than {STATE_BYTES_MAX} bytes", limit=STATE_BYTES_MAX)
    if not inflate.eof:
        raise Malformed("a value of the checkpoint ends early")
    return told[0], data


def checkpoint_id(config: RunnableConfig | None) -> str | None:
    """The checkpoint that a configuration names, if any."""
    return None if config is None else get_checkpoint_id(config)


def tagged(memory: Memory, kind: str) -> str | None:
    """What a crystal's tag of this kind names, its checkpoint or its namespace; long namespaces as their digest."""
    prefix = tag(kind, "")
    return next((one.removeprefix(prefix) for one in memory.tags if one.startswith(prefix)), None)


def words_of(values: Mapping[str, Any]) -> str:
    """What the graph's state says in words, for recall: texts, and what messages say, the latest first."""
    lines = [line for name, value in values.items() for line in _words(name, value)]
    return "\n".join(reversed(lines))[:_SUMMARY_LETTERS]


def _words(name: str, value: Any) -> Iterator[str]:
    if name.startswith(("__", "branch:")):
        return
    if isinstance(value, str) and value.strip():
        yield f"{name}: {value[:_SUMMARY_LETTERS]}"
    elif isinstance(value, list):
        for one in value[-_MESSAGES:]:
            said = getattr(one, "content", None)
            if isinstance(said, str) and said.strip():
                yield f"{getattr(one, 'type', name)}: {said[:_SUMMARY_LETTERS]}"
