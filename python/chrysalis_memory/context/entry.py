"""A crystal as a list shows it: without its data, and also when it can't be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from chrysalis_memory._core import Memory
from chrysalis_memory.context._crystal_codec import Header, missing_parts, read_header
from chrysalis_memory.errors import Malformed, NotFound
from chrysalis_memory.records import from_ms, iso, to_ms

__all__ = ["CrystalEntry", "TreeRow", "lineage_of", "tree_of"]

LINEAGE_MAX: Final = 1_000
"""Crystals that one chain of parents is followed through: a longer one is a mistake, or made to be long."""

_GONE = "it is not here: it has faded, was forgotten, or has not come yet"
_CIRCLE = "the chain of parents is a circle"
_ENDLESS = f"the chain of parents is longer than {LINEAGE_MAX}"


@dataclass(frozen=True)
class CrystalEntry:
    """What is known of a crystal without reading its data. `problem` says why it can't be resumed, if it can't.

    >>> CrystalEntry("c1", agent="ada", summary_tokens=40, focus_tokens=2).tokens
    42
    """

    crystal_id: str
    agent: str = ""
    timestamp: datetime | None = None
    task: str = ""
    """The beginning of the task."""
    summary_tokens: int = 0
    focus_tokens: int = 0
    turns: int = 0
    """Turns of the compressed window."""
    size: int = 0
    """Bytes of its data."""
    parent_crystal: str | None = None
    branch_reason: str | None = None
    branch_depth: int = 0
    thread: str | None = None
    scope: str = ""
    expires_at: datetime | None = None
    """When it fades; None when it is pinned."""
    author: str = ""
    """The public key of the replica that made it; empty for one that is not here."""
    problem: str | None = None

    @property
    def tokens(self) -> int:
        """Tokens of the summary and of what was kept word for word."""
        return self.summary_tokens + self.focus_tokens

    @property
    def is_pinned(self) -> bool:
        """Whether it stays."""
        return bool(self.author) and self.expires_at is None

    def is_expired(self, now: datetime | None = None) -> bool:
        """Whether it has faded by `now`, the present unless given."""
        at = datetime.now(timezone.utc) if now is None else from_ms(to_ms(now))
        return self.expires_at is not None and self.expires_at <= at

    def to_dict(self) -> dict[str, Any]:
        """The entry as plain data that `json.dumps` takes."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        times = {name: None if told[name] is None else iso(told[name]) for name in ("timestamp", "expires_at")}
        return told | times | {"pinned": self.is_pinned, "tokens": self.tokens}

    @classmethod
    def of(cls, memory: Memory) -> CrystalEntry:
        """The entry of a memory. Never fails: what can't be read is its problem."""
        known: dict[str, Any] = {
            "thread": memory.thread,
            "scope": memory.scope,
            "expires_at": memory.expires_at,
            "author": memory.author,
        }
        try:
            header, missing = read_header(memory), missing_parts(memory)
        except (Malformed, NotFound) as error:
            return cls(memory.id, agent=memory.agent_id, timestamp=memory.created_at, problem=str(error), **known)
        problem = f"{missing} of its {header.parts} parts have not come yet" if missing else None
        return cls(memory.id, problem=problem, **_said(header), **known)


@dataclass(frozen=True)
class TreeRow:
    """One line of the tree of crystals, in the order in which it is drawn: parents before children, older first."""

    entry: CrystalEntry
    level: int
    """0 for a crystal whose parent is not here."""
    is_last: bool
    """Whether no other child of the same parent follows."""

    def to_dict(self) -> dict[str, Any]:
        """The row as plain data."""
        return {"level": self.level, "is_last": self.is_last, **self.entry.to_dict()}


def lineage_of(first: CrystalEntry, entries: dict[str, CrystalEntry]) -> list[CrystalEntry]:
    """The crystal, its parent, and so on. What cuts the chain short stands at its end, as the problem of an entry."""
    chain, seen = [first], {first.crystal_id}
    while (parent := chain[-1].parent_crystal) is not None:
        if parent in seen or len(chain) >= LINEAGE_MAX:
            return [*chain, CrystalEntry(parent, problem=_CIRCLE if parent in seen else _ENDLESS)]
        found = entries.get(parent)
        if found is None:
            return [*chain, CrystalEntry(parent, problem=_GONE)]
        chain.append(found)
        seen.add(parent)
    return chain


def tree_of(entries: Iterable[CrystalEntry]) -> list[TreeRow]:
    """All crystals as rows of a tree. A circle of parents is opened at its oldest crystal, and a chain that is too
    long goes on at the left: every crystal stands in it once."""
    known = {one.crystal_id: one for one in sorted(entries, key=_age)}
    children: dict[str | None, list[CrystalEntry]] = {}
    for one in known.values():
        children.setdefault(one.parent_crystal if one.parent_crystal in known else None, []).append(one)
    rows: dict[str, TreeRow] = {}
    roots = [*children.get(None, []), *known.values()]
    for root in roots:
        if root.crystal_id not in rows:
            _grow(root, children, rows)
    return list(rows.values())


def _grow(root: CrystalEntry, children: dict[str | None, list[CrystalEntry]], rows: dict[str, TreeRow]) -> None:
    waiting = [TreeRow(root, 0, True)]
    while waiting:
        row = waiting.pop()
        if row.entry.crystal_id in rows:
            continue
        rows[row.entry.crystal_id] = row
        level = row.level + 1 if row.level < LINEAGE_MAX else 0
        below = [one for one in children.get(row.entry.crystal_id, []) if one.crystal_id not in rows]
        waiting.extend(TreeRow(one, level, place == 0) for place, one in enumerate(reversed(below)))


def _age(entry: CrystalEntry) -> tuple[datetime, str]:
    return (entry.timestamp or datetime.min.replace(tzinfo=timezone.utc), entry.crystal_id)


def _said(header: Header) -> dict[str, Any]:
    return {
        "agent": header.agent,
        "timestamp": header.at,
        "task": header.task,
        "summary_tokens": header.summary_tokens,
        "focus_tokens": header.focus_tokens,
        "turns": header.turns,
        "size": header.size,
        "parent_crystal": header.parent,
        "branch_reason": header.reason,
        "branch_depth": header.depth,
    }
