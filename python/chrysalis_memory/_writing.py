"""Writing: remembering, changing, linking, forgetting, promoting, consolidating."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from chrysalis_memory import consolidation
from chrysalis_memory._core import Memory
from chrysalis_memory._opened import now_ms
from chrysalis_memory._reading import Reading, core_filters
from chrysalis_memory._said import UNSET, Said, Unset, ids, known_id, length, said, score, text, texts
from chrysalis_memory.records import (
    Change,
    Duration,
    Instant,
    Receipt,
)

__all__ = ["Writing"]

_OPTIONAL = {"id", "metadata", "occurred_at", "speaker", "thread", "ttl", "valid_from", "valid_until"}

# Inside a class with a method `list`, the type needs another name.
Memories: TypeAlias = "list[Memory]"
Written: TypeAlias = "list[tuple[Memory, bool]]"
Records: TypeAlias = "list[Mapping[str, Any]]"
Flags: TypeAlias = "list[bool]"
Changes: TypeAlias = "list[Change]"
Link = Literal["related", "parents", "evidence"]


class Writing(Reading):
    """What an open store is told."""

    def _written(self, memory: Memory) -> Memory:
        if self._vectors.embedder is not None:
            self._background.wake()
        self._changed()
        return memory

    def remember(
        self,
        content: str,
        *,
        id: str | None = None,
        tier: str = "long_term",
        memory_type: str = "episodic",
        scope: str = "",
        importance: float = 0.5,
        confidence: float = 0.5,
        tags: Iterable[str] = (),
        parents: Iterable[str | Memory] = (),
        related: Iterable[str | Memory] = (),
        evidence: Iterable[str | Memory] = (),
        thread: str | None = None,
        speaker: str | None = None,
        occurred_at: Instant | None = None,
        metadata: Mapping[str, Any] | None = None,
        ttl: Duration | None = None,
        valid_from: Instant | None = None,
        valid_until: Instant | None = None,
    ) -> Memory:
        """Remembers words as they are said: on disk when this returns (see `Config.durability`), recallable at once.

        Scores lie between 0 and 1. `ttl` (timedelta or seconds) lets it fade; working memories fade after
        `Config.working_ttl_s` unless they have one. A known `id` is edited: what is said again is set, and saying the
        same twice writes once. Raises `NotAllowed` for a forgotten id or withdrawn content, `TooLarge` above
        `Config.payload_bytes_max`.

        >>> memory = example_store()
        >>> note = memory.remember("Glaze G7 needs 1180 degrees", memory_type="procedural", importance=0.8)
        >>> note.importance, note.version, len(note.fingerprint), len(note.signature)
        (0.8, 1, 96, 128)
        """
        record = _record(locals())
        return self._written(self._core().remember(self.agent_id, self._told(record)))

    def remember_many(self, records: Iterable[Mapping[str, Any]]) -> Memories:
        """Remembers many in one transaction: all of them or none. Records have the keys that `remember` takes.

        >>> memory = example_store()
        >>> [one.content for one in memory.remember_many([{"content": "first"}, {"content": "second"}])]
        ['first', 'second']
        """
        return [memory for memory, _ in self._remember_each(records)]

    def _remember_each(self, records: Iterable[Mapping[str, Any]]) -> Written:
        told = [self._told(_checked_record(record)) for record in records]
        remembered = self._core().remember_many(self.agent_id, told)
        if remembered:
            self._written(remembered[-1][0])
        return remembered

    def _remember_all(self, records: Records) -> Flags:
        return [written for _, written in self._remember_each(records)]

    def _told(self, record: dict[str, Any]) -> Said:
        id, ttl = record.pop("id", None), record.pop("ttl", None)
        if id is not None:
            _check_new_id(text("id", id))
        record["add_tags"] = texts("tags", record.pop("tags", ()))
        told = said(record)
        told["expires_at"] = self._expiry(ttl, told.get("tier", "long_term"))
        return told | {"id": id}

    def _expiry(self, ttl: Duration | None, tier: str) -> int | None:
        if ttl is None and tier == "working":
            ttl = self.config.working_ttl_s
        return None if ttl is None else now_ms() + length("ttl", ttl)

    def create_working_memory(self, content: str, **more: Any) -> Memory:
        """`remember` in the working tier: it fades unless it is promoted.

        >>> example_store().create_working_memory("user asked about glazes", memory_type="observation").tier
        'working'
        """
        return self.remember(content, tier="working", **more)

    def create_episodic_memory(self, content: str, **more: Any) -> Memory:
        """`remember` for the long term."""
        return self.remember(content, tier="long_term", **more)

    def update(
        self,
        id: str,
        *,
        content: str | Unset = UNSET,
        tier: str | Unset = UNSET,
        memory_type: str | Unset = UNSET,
        scope: str | Unset = UNSET,
        importance: float | Unset = UNSET,
        confidence: float | Unset = UNSET,
        add_tags: Iterable[str] = (),
        remove_tags: Iterable[str] = (),
        thread: str | Unset | None = UNSET,
        speaker: str | Unset | None = UNSET,
        occurred_at: Instant | Unset | None = UNSET,
        metadata: Mapping[str, Any] | Unset = UNSET,
        ttl: Duration | Unset | None = UNSET,
        valid_from: Instant | Unset | None = UNSET,
        valid_until: Instant | Unset | None = UNSET,
    ) -> Memory:
        """Changes what is given and leaves the rest; the old values stay in the history. On disk when this returns.

        `metadata` sets its keys and leaves others; a key set to None is taken away. `ttl=None` lets the memory stay.
        `None` clears a thread, speaker or time. Scores are this author's own; the greatest of all authors is read.
        Raises `NotFound`, and what `remember` raises.

        >>> memory = example_store()
        >>> note = memory.remember("The gate opens at 7", tags=["gate"])
        >>> memory.update(note.id, content="The gate opens at 8", add_tags=["hours"], remove_tags=["gate"]).tags
        ('hours',)
        """
        given = {name: value for name, value in locals().items() if name not in {"self", "id", "ttl"}}
        id = known_id(id)
        if valid_from is not UNSET or valid_until is not UNSET:
            # The interval is one value: what is not given stays.
            standing = self._existing(id)
            given["valid_from"] = standing.valid_from if valid_from is UNSET else valid_from
            given["valid_until"] = standing.valid_until if valid_until is UNSET else valid_until
        told = said(given)
        if not isinstance(ttl, Unset):
            told["expires_at"] = None if ttl is None else now_ms() + length("ttl", ttl)
        return self._written(self._core().update(self.agent_id, id, told))

    def relate(self, id: str, other: str | Memory, *, kind: Link = "related") -> Memory:
        """Links a memory to another: `related`, or one of its `parents`, or `evidence` for it. Links only accumulate.

        >>> memory = example_store()
        >>> first, second = memory.remember("a crack in the rim"), memory.remember("the shelf was uneven")
        >>> memory.relate(first.id, second, kind="evidence").evidence == (second.id,)
        True
        """
        if kind not in {"related", "parents", "evidence"}:
            raise ValueError(f"kind is {kind!r}; it must be related, parents or evidence")
        return self._written(self._core().update(self.agent_id, known_id(id), {kind: ids("other", [other])}))

    def add_evidence(self, id: str, *evidence: str | Memory) -> Memory:
        """Adds what supports a memory: ids of memories, addresses, quotations. Evidence only accumulates."""
        return self._written(self._core().update(self.agent_id, known_id(id), {"evidence": ids("evidence", evidence)}))

    def forget(self, id: str, *, reason: str = "", withdraw: bool = False) -> Receipt:
        """Forgets a memory for good: its words leave every file of the store before this returns; its id stays dead.

        With `withdraw` the same content is refused under any id from now on. The chain of signed headers stays whole.
        Raises `NotFound`.

        >>> memory = example_store()
        >>> note = memory.remember("the alarm code is 7734")
        >>> memory.forget(note.id, reason="a secret").forgotten
        True
        >>> memory.recall("alarm code")
        Recall(hits=(), outcome=Outcome(complete=True, reasons=()))
        """
        core = self._core()
        operations = core.forget(known_id(id), text("reason", reason), bool(withdraw))
        self._changed()
        return self._receipt(id, operations)

    def receipt(self, id: str) -> Receipt:
        """The receipt of a forgetting as it stands now: which replicas have acknowledged it since, and which have not.

        Raises `NotFound` for an id that is not forgotten.
        """
        return self._receipt(known_id(id), 0)

    def _receipt(self, id: str, operations: int) -> Receipt:
        acknowledged, missing = self._core().forgetting(id)
        return Receipt(id, True, operations, acknowledged=tuple(acknowledged), pending=tuple(missing))

    def promote(
        self, ids: Iterable[str] | None = None, *, threshold: float | None = None, scope: str | None = None
    ) -> Memories:
        """Moves working memories into the long term, where they stay: those with these ids, or all of at least
        `threshold` importance (`Config.promotion_threshold` when None). Returns what was promoted. The same is done in
        the background every `Config.promotion_interval_s`, for memories that this replica created.

        >>> memory = example_store()
        >>> _ = memory.create_working_memory("keep", importance=0.9), memory.create_working_memory("drop")
        >>> [one.content for one in memory.promote()]
        ['keep']
        """
        if ids is not None:
            chosen = texts("ids", ids)
        else:
            least = self.config.promotion_threshold if threshold is None else score("threshold", threshold)
            chosen = [one.id for one in self._promotable(least, scope)]
        return [self.update(id, tier="long_term", ttl=None) for id in chosen]

    def _promotable(self, least: float, scope: str | None = None) -> Memories:
        """Working memories of at least this importance, oldest first."""
        filters = core_filters(scope=scope, tier="working") | {"min_importance": least, "now": now_ms()}
        return self._core().list(filters, "created", False, 1 << 40, 0)

    def consolidate(self, *, scope: str | None = None, similarity: float = 0.8) -> Memories:
        """Joins memories that say nearly the same into one each, by rule, and returns the new ones.

        Nearly the same: one scope and type, and words that overlap by `similarity` (Jaccard index, 0 to 1). The
        sources stay, linked as evidence. Doing it twice changes nothing, and two replicas make the same memories.

        >>> memory = example_store()
        >>> for words in ("the kiln door sticks", "the kiln door sticks again"):
        ...     _ = memory.remember(words)
        >>> [one.content for one in memory.consolidate(similarity=0.7)], memory.consolidate(similarity=0.7)
        (['the kiln door sticks again'], [])
        """
        if not score("similarity", similarity):
            raise ValueError("similarity is 0; it must lie above 0 and at most at 1")
        filters = core_filters(scope=scope) | {"now": now_ms()}
        groups = consolidation.group(self._core().list(filters, "created", False, 1 << 40, 0), similarity)
        made = [consolidation.summarise(members) for members in groups]
        standing = self.get_many([record["id"] for record in made])
        return self.remember_many(record for record, known in zip(made, standing, strict=True) if known is None)


def _record(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `remember` that say something."""
    return {
        name: value for name, value in arguments.items() if name != "self" and not (value is None and name in _OPTIONAL)
    }


def _check_new_id(id: str) -> None:
    if not id:
        raise ValueError("id is empty")
    if "\0" in id:
        raise ValueError("id holds a NUL character")


def _checked_record(record: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise TypeError(f"a record is a mapping, not {type(record).__name__}")
    unknown = sorted(set(record) - _REMEMBER)
    if unknown:
        raise TypeError(f"a record has no {', '.join(map(repr, unknown))}; it takes {', '.join(sorted(_REMEMBER))}")
    if "content" not in record:
        raise ValueError("a record needs content")
    return _record(record)


_REMEMBER = frozenset(inspect.signature(Writing.remember).parameters) - {"self"}
