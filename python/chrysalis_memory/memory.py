"""`ChrysalisMemory`: one replica of one space, in this process."""

from __future__ import annotations

import inspect
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, time
from types import TracebackType
from typing import Any, Literal, TypeAlias

from chrysalis_memory import consolidation
from chrysalis_memory._background import Background
from chrysalis_memory._core import Memory, Replica
from chrysalis_memory._intake import BUNDLE_MAGIC, take_in
from chrysalis_memory._said import UNSET, Said, Unset, ids, known_id, length, moment, said, score, text, texts, whole
from chrysalis_memory._vectors import Vectors
from chrysalis_memory._why import missing, why
from chrysalis_memory.config import Config, default_path
from chrysalis_memory.embedding import EmbedderLike, resolve
from chrysalis_memory.errors import NotFound, StoreError
from chrysalis_memory.importing import read_records
from chrysalis_memory.ranking import Ranking, is_default, rank
from chrysalis_memory.records import (
    Change,
    Conflict,
    Duration,
    Hit,
    ImportProblem,
    ImportReport,
    Instant,
    Outcome,
    Problem,
    Recall,
    Receipt,
    Revision,
    Stats,
    Verification,
)

__all__ = ["ChrysalisMemory"]

_WATCHED_AT_ONCE = 1_000
_LINEAGE_MAX = 10_000
_RANKED_PER_HIT = 3  # candidates a ranking chooses from, for every hit asked for (specification B)

Mode = Literal["hybrid", "text", "vector"]
Order = Literal["created", "updated", "importance"]
Link = Literal["related", "parents", "evidence"]

# Inside a class with a method `list`, the type needs another name.
Memories: TypeAlias = "list[Memory]"
MaybeMemories: TypeAlias = "list[Memory | None]"
Revisions: TypeAlias = "list[Revision]"
Conflicts: TypeAlias = "dict[str, list[Conflict]]"
Written: TypeAlias = "list[tuple[Memory, bool]]"
Found: TypeAlias = "list[Hit]"
Records: TypeAlias = "list[Mapping[str, Any]]"
Texts: TypeAlias = "list[str]"
Flags: TypeAlias = "list[bool]"
Changes: TypeAlias = "list[Change]"


class ChrysalisMemory:
    """Memories of one or more agents, in one folder. Thread-safe; any number of processes may open the same folder.

    `path` is the store's folder, made when it is missing; None is `default` in the platform's data folder. `agent_id`
    is the name under which this object speaks. `space` names the set of memories; a store keeps one. `embedder` is
    `"auto"`, `"none"`, a function from text to vector, or an `Embedder`. Raises `StoreError` and its kinds when the
    store can't be opened.

    >>> import tempfile
    >>> with ChrysalisMemory(tempfile.mkdtemp(), agent_id="ada") as memory:
    ...     _ = memory.remember("The kiln reaches 1240 degrees", tags=["kiln"])
    ...     memory.recall("how hot does the kiln get?")[0].memory.content
    'The kiln reaches 1240 degrees'
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        agent_id: str = "agent",
        space: str = "default",
        embedder: EmbedderLike = "auto",
        config: Config | None = None,
    ) -> None:
        if not text("agent_id", agent_id):
            raise ValueError("agent_id is empty")
        self.config = config or Config()
        self.agent_id = agent_id
        self.space = text("space", space)
        self._pid = os.getpid()
        self._closed = False
        chosen, missing = resolve(embedder)
        self._replica = Replica(
            _folder(path),
            space=space,
            durability=self.config.durability,
            busy_timeout_ms=int(self.config.busy_timeout_s * 1000),
            cache_bytes=self.config.cache_bytes,
            mmap_bytes=self.config.mmap_bytes,
            payload_bytes_max=self.config.payload_bytes_max,
        )
        self._vectors = Vectors(self._replica, chosen, missing, self.config.embed_batch)
        self._background = Background(self._work, self._replica, self.config.access_flush_s)
        # Also runs when nobody holds this object any more, and when the interpreter ends.
        self._end = weakref.finalize(self, _end, self._pid, self._vectors, self._background, self._replica)

    # What is below the surface.

    def _work(self) -> None:
        self._replica.flush_uses()
        self._replica.sweep()
        self._vectors.embed_waiting()

    def _core(self) -> Replica:
        if self._closed:
            raise StoreError("the store is closed", code="closed", hint="Open it again.")
        if os.getpid() != self._pid:
            raise StoreError(
                "this store was opened before the process forked",
                code="forked",
                hint="Open the store again in the new process; any number of processes may have it open.",
            )
        return self._replica

    def _written(self, memory: Memory) -> Memory:
        if self._vectors.embedder is not None:
            self._background.wake()
        return memory

    # Opening and closing.

    @property
    def path(self) -> Path:
        """The store's folder."""
        return Path(self._replica.path)

    @property
    def public_key(self) -> str:
        """The replica's Ed25519 key in hex: what `Memory.author` says of memories created here."""
        return self._replica.public_key

    def close(self) -> None:
        """Writes what is buffered and closes the store. Closing twice is no error."""
        self._closed = True
        self._end()

    def __enter__(self) -> ChrysalisMemory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ChrysalisMemory({str(self._replica.path)!r}, agent_id={self.agent_id!r}, space={self.space!r})"

    # Writing.

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
        return None if ttl is None else _now_ms() + length("ttl", ttl)

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
            told["expires_at"] = None if ttl is None else _now_ms() + length("ttl", ttl)
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
        return self._core().update(self.agent_id, known_id(id), {kind: ids("other", [other])})

    def add_evidence(self, id: str, *evidence: str | Memory) -> Memory:
        """Adds what supports a memory: ids of memories, addresses, quotations. Evidence only accumulates."""
        return self._core().update(self.agent_id, known_id(id), {"evidence": ids("evidence", evidence)})

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
        return Receipt(id, True, operations, acknowledged=(core.public_key,))

    @contextmanager
    def batch(self) -> Iterator[ChrysalisMemory]:
        """A transaction of this thread: what is written inside is on disk together at the end, or, after an
        exception, not at all. Other writers wait meanwhile. Batches do not nest; recall inside one does not find what
        the batch itself wrote, `get` and `list` do.

        >>> memory = example_store()
        >>> with memory.batch():
        ...     one, two = memory.remember("one"), memory.remember("two")
        >>> memory.stats().memories
        2
        """
        core = self._core()
        core.begin_batch()
        try:
            yield self
        except BaseException:
            core.rollback_batch()
            raise
        core.commit_batch()
        self._background.wake()

    def flush(self) -> None:
        """Brings everything derived up to date: access counts written, text index and vectors caught up.

        Raises whatever the embedder raises.
        """
        core = self._core()
        core.flush_uses()
        core.catch_up_text()
        self._vectors.embed_waiting()

    # Reading.

    def get(self, id: str) -> Memory | None:
        """The memory with this id; None when there is none, or no longer.

        >>> example_store().get("unknown") is None
        True
        """
        return self._core().get(known_id(id))

    def get_many(self, ids: Iterable[str]) -> MaybeMemories:
        """The memories with these ids, in their order; None where there is none."""
        return self._core().get_many(texts("ids", ids))

    def _existing(self, id: str) -> Memory:
        found = self._core().get(known_id(id))
        if found is None:
            raise NotFound(f"memory {id!r} is not in the store", id=id)
        return found

    def recall(
        self,
        query: str,
        *,
        k: int = 10,
        scope: str | None = None,
        tier: str | None = None,
        memory_type: str | None = None,
        tags: Iterable[str] | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        as_of: Instant | None = None,
        min_importance: float | None = None,
        verified_only: bool = False,
        mode: Mode = "hybrid",
        ranking: Ranking = None,
    ) -> Recall:
        """Finds the memories that fit a question, best first, at most `k`; none when nothing fits.

        Finds every write that was acknowledged before, by any process. `scope` includes the scopes below it; `tags`
        must all be there; `since` and `until` bound the time of creation; `as_of` asks what was known and valid at
        that time; `verified_only` checks each hit's signatures now. `mode` is `hybrid`, `text` or `vector`; `ranking`
        a name in `chrysalis_memory.ranking` or a function from hit to score. `outcome` says whether something was
        missing. Quoted words are looked for as a phrase.

        >>> memory = example_store()
        >>> _ = memory.remember("Bricks are delivered on Mondays", scope="yard/north")
        >>> hit = memory.recall("when do bricks come", scope="yard")[0]
        >>> hit.memory.content, hit.why
        ('Bricks are delivered on Mondays', 'words: bricks')
        """
        k, query = whole("k", k, 1), text("query", query)
        if mode not in {"hybrid", "text", "vector"}:
            raise ValueError(f"mode is {mode!r}; it must be hybrid, text or vector")
        filters = _filters(scope=scope, tier=tier, memory_type=memory_type, tags=tags, since=since, until=until)
        filters |= {"min_importance": _least(min_importance), "now": _now_ms()}
        then = moment("as_of", as_of)
        found, outcome = self._find(query, k, filters, then, mode, verified_only, is_default(ranking))
        hits = rank(found, ranking, k)
        if self._core().count_uses([hit.memory.id for hit in hits]) >= self.config.access_flush_count:
            self._background.wake()
        return Recall(tuple(hits), outcome)

    def _find(
        self, query: str, k: int, filters: Said, as_of: int | None, mode: Mode, verified_only: bool, default: bool
    ) -> tuple[Found, Outcome]:
        reasons: Texts = []
        vector, without = (None, None) if mode == "text" else self._embedded(query)
        if mode == "vector" and vector is None:
            reasons.append(f"{without or 'there is no embedder'}: nothing was searched")
        elif without is not None:
            reasons.append(f"{without}: found by words alone")
        wanted = k if default and not verified_only else k * _RANKED_PER_HIT
        rows, without_vector, changed_since, unseen = self._core().recall(query, wanted, filters, as_of, mode, vector)
        # Changed memories are found by words in every mode; that is only less than asked for when there are vectors.
        reasons.extend(missing(without_vector, changed_since if vector else 0, unseen))
        hits = [Hit(memory, score, why(*parts)) for memory, score, parts in rows]
        if verified_only:
            hits, refused = self._verified(hits)
            reasons.extend(refused)
        return hits, Outcome(not reasons, tuple(reasons))

    def _embedded(self, query: str) -> tuple[tuple[str, Sequence[float]] | None, str | None]:
        try:
            self._vectors.embed_waiting(self.config.recall_embed_max)
        except Exception as error:  # noqa: BLE001 - whatever an embedder does, recall answers from the words
            return None, f"the embedder failed ({error})"
        return self._vectors.of_query(query)

    def _verified(self, hits: Found) -> tuple[Found, Texts]:
        failed = [hit for hit in hits if not self.verify(hit.memory.id)]
        return [hit for hit in hits if hit not in failed], [f"{hit.memory.id} does not verify" for hit in failed]

    def list(
        self,
        *,
        scope: str | None = None,
        tier: str | None = None,
        memory_type: str | None = None,
        tags: Iterable[str] | None = None,
        thread: str | None = None,
        min_importance: float | None = None,
        order: Order = "created",
        descending: bool = True,
        limit: int = 100,
        offset: int = 0,
    ) -> Memories:
        """Memories that pass the filters, newest first unless `order` and `descending` say otherwise.

        >>> memory = example_store()
        >>> _ = memory.remember("low", importance=0.1), memory.remember("high", importance=0.9)
        >>> [one.content for one in memory.list(order="importance")]
        ['high', 'low']
        """
        filters = _filters(scope=scope, tier=tier, memory_type=memory_type, tags=tags, thread=thread)
        filters |= {"min_importance": _least(min_importance), "now": _now_ms()}
        if order not in {"created", "updated", "importance"}:
            raise ValueError(f"order is {order!r}; it must be created, updated or importance")
        limit, offset = whole("limit", limit, 0), whole("offset", offset, 0)
        return self._core().list(filters, order, bool(descending), limit, offset)

    def range(
        self,
        start: Instant | None,
        end: Instant | None,
        *,
        scope: str | None = None,
        tier: str | None = None,
        memory_type: str | None = None,
        tags: Iterable[str] | None = None,
        limit: int = 1000,
    ) -> Memories:
        """Memories created from `start` up to but not at `end`, oldest first; None is an open end.

        >>> memory = example_store()
        >>> _ = memory.remember("now")
        >>> [one.content for one in memory.range("2020-01-01", None)]
        ['now']
        """
        filters = _filters(scope=scope, tier=tier, memory_type=memory_type, tags=tags, since=start, until=end)
        return self._core().list(filters | {"now": _now_ms()}, "created", False, whole("limit", limit, 0), 0)

    def history(self, id: str) -> Revisions:
        """The signed operations that a memory is the join of, in order of arrival; also of a forgotten one, without
        its words. Raises `NotFound`.

        >>> memory = example_store()
        >>> note = memory.remember("first wording")
        >>> _ = memory.update(note.id, content="second wording")
        >>> [revision.changes["content"] for revision in memory.history(note.id)]
        ['first wording', 'second wording']
        """
        return [Revision(**revision) for revision in self._core().history(known_id(id))]

    def conflicts(self, id: str) -> Conflicts:
        """Values that were written without knowledge of the winner, by field; they stay until an edit that saw them.

        Empty when nothing is in conflict. Raises `NotFound`.
        """
        said_by = {revision.fingerprint: revision for revision in self.history(id)}
        found: Conflicts = {}
        for field, value, fingerprint in self._core().conflicts(id):
            revision = said_by[fingerprint]
            found.setdefault(field, []).append(Conflict(value, revision.author, revision.at, fingerprint))
        return found

    def ancestors(self, id: str) -> Memories:
        """The memories that this one came from: its parents, theirs, and so on, nearest first, each once."""
        return self._lineage(id, down=False)

    def descendants(self, id: str) -> Memories:
        """The memories that came from this one: its children, theirs, and so on, nearest first, each once.

        >>> memory = example_store()
        >>> plan = memory.remember("plan")
        >>> step = memory.remember("step", parents=[plan])
        >>> [one.content for one in memory.descendants(plan.id)], [one.content for one in memory.ancestors(step.id)]
        (['step'], ['plan'])
        """
        return self._lineage(id, down=True)

    def _lineage(self, id: str, *, down: bool) -> Memories:
        self._existing(id)
        linked = self._core().lineage(id, down, _LINEAGE_MAX)
        return [one for one in self._core().get_many(linked) if one is not None]

    # Working and episodic memory, as specification A names them.

    def create_working_memory(self, content: str, **more: Any) -> Memory:
        """`remember` in the working tier: it fades unless it is promoted.

        >>> example_store().create_working_memory("user asked about glazes", memory_type="observation").tier
        'working'
        """
        return self.remember(content, tier="working", **more)

    def create_episodic_memory(self, content: str, **more: Any) -> Memory:
        """`remember` for the long term."""
        return self.remember(content, tier="long_term", **more)

    def get_episodic_memories(
        self,
        *,
        memory_type: str | None = None,
        min_importance: float | None = None,
        verified_only: bool = False,
        limit: int = 1000,
    ) -> Memories:
        """Long-term memories, newest first, by type and least importance; with `verified_only` those whose
        signatures hold now."""
        found = self.list(tier="long_term", memory_type=memory_type, min_importance=min_importance, limit=limit)
        return [one for one in found if not verified_only or self.verify(one.id)]

    def promote(
        self, ids: Iterable[str] | None = None, *, threshold: float | None = None, scope: str | None = None
    ) -> Memories:
        """Moves working memories into the long term, where they stay: those with these ids, or all of at least
        `threshold` importance (`Config.promotion_threshold` when None). Returns what was promoted.

        >>> memory = example_store()
        >>> _ = memory.create_working_memory("keep", importance=0.9), memory.create_working_memory("drop")
        >>> [one.content for one in memory.promote()]
        ['keep']
        """
        if ids is not None:
            chosen = texts("ids", ids)
        else:
            least = self.config.promotion_threshold if threshold is None else score("threshold", threshold)
            working = self._core().list(
                _filters(scope=scope, tier="working") | {"min_importance": least, "now": _now_ms()},
                "created",
                False,
                1 << 40,
                0,
            )
            chosen = [one.id for one in working]
        return [self.update(id, tier="long_term", ttl=None) for id in chosen]

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
        filters = _filters(scope=scope) | {"now": _now_ms()}
        groups = consolidation.group(self._core().list(filters, "created", False, 1 << 40, 0), similarity)
        made = [consolidation.summarise(members) for members in groups]
        standing = self.get_many([record["id"] for record in made])
        return self.remember_many(record for record, known in zip(made, standing, strict=True) if known is None)

    # Watching and checking.

    def watch(self, *, timeout: float | None = None) -> Iterator[Change]:
        """Changes from now on, by this and other processes, in order; ends after `timeout` seconds without one.

        Kinds are `created`, `updated` and `forgotten`. A memory that changes twice in between is told of once.

        >>> memory = example_store()
        >>> changes = memory.watch(timeout=5)
        >>> note = memory.remember("look")
        >>> next(changes).id == note.id
        True
        """
        return self._flattened(self._looks(timeout))

    def _flattened(self, looks: Iterator[Changes]) -> Iterator[Change]:
        for changes in looks:
            yield from changes
            if not changes:
                sleep(self.config.watch_interval_ms / 1000)

    def _looks(self, timeout: float | None) -> Iterator[Changes]:
        """What each look finds, from the position of this call on; ends after `timeout` seconds of finding nothing."""
        return self._look(self._core().position(), None if timeout is None else max(0.0, float(timeout)))

    def _look(self, since: tuple[int, int], timeout: float | None) -> Iterator[Changes]:
        position, log_position = since
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            changed, forgotten = self._core().changes_after(position, log_position, _WATCHED_AT_ONCE)
            changes = [Change("created" if created else "updated", id, reached) for reached, id, created in changed]
            position = changes[-1].position if changes else position
            changes += [Change("forgotten", id, position) for _, id in forgotten]
            log_position = forgotten[-1][0] if forgotten else log_position
            if changes:
                deadline = None if timeout is None else monotonic() + timeout
            elif deadline is not None and monotonic() >= deadline:
                return
            yield changes

    def verify(self, id: str | None = None) -> Verification:
        """Checks every signature, chain, commitment and view of one memory or of the whole store, now.

        True when all holds; `problems` lists what does not. Raises `NotFound` for an unknown id.

        >>> memory = example_store()
        >>> note = memory.remember("signed")
        >>> bool(memory.verify(note.id)), bool(memory.verify())
        (True, True)
        """
        operations, memories, problems = self._core().verify(None if id is None else known_id(id))
        return Verification(operations, memories, tuple(Problem(*problem) for problem in problems))

    def stats(self) -> Stats:
        """Counts and sizes."""
        core = self._core()
        numbers = core.stats()
        embedder = self._vectors.embedder
        waiting = 0 if embedder is None else len(core.pending_vectors(embedder.name, 1_000_000))
        return Stats(
            path=str(self._replica.path),
            space=self.space,
            replica=core.public_key,
            vectors_pending=waiting,
            embedder=None if embedder is None else embedder.name,
            **numbers,
        )

    def rebuild(self) -> None:
        """Makes views and indexes again from the log; answers stay equal. Vectors are made again in the background."""
        self._core().rebuild()
        self._background.wake()

    # In and out.

    def export(self, path: str | os.PathLike[str]) -> int:
        """Writes every operation of the space into one file, which `import_` of any store merges and verifies.

        The file appears whole or not at all. Returns how many operations it holds.
        """
        return self._core().export(_named(path))

    def import_(self, path: str | os.PathLike[str], *, format: str | None = None) -> ImportReport:
        """Takes in a bundle of `export`, or what another program wrote: see `chrysalis_memory.importing`.

        Twice imported is once imported. What can't be used is named by file and line, and the rest goes on.
        """
        name = _named(path)
        if format in {None, "bundle"} and _is_bundle(name):
            return self._import_bundle(name)
        return take_in(read_records(name, format=format), self._remember_all, name)

    def _import_bundle(self, name: str) -> ImportReport:
        read, added, known, refused = self._core().import_bundle(name)
        self._background.wake()
        failed = [ImportProblem(name, 0, f"at byte {offset}: {what}") for offset, _, what in refused]
        return ImportReport(read, added, known, tuple(failed))


def _end(pid: int, vectors: Vectors, background: Background, replica: Replica) -> None:
    if os.getpid() != pid:
        # The store is the parent's, and its threads and locks are not here.
        return
    vectors.stop()
    background.stop()
    replica.close()


_REMEMBER = frozenset(inspect.signature(ChrysalisMemory.remember).parameters) - {"self"}


_OPTIONAL = {"id", "metadata", "occurred_at", "speaker", "thread", "ttl", "valid_from", "valid_until"}


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


def _filters(
    *,
    scope: str | None = None,
    tier: str | None = None,
    memory_type: str | None = None,
    tags: Iterable[str] | None = None,
    thread: str | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> Said:
    """The filters in the core's terms."""
    return {
        "scope": None if scope is None else text("scope", scope),
        "tier": None if tier is None else text("tier", tier),
        "memory_type": None if memory_type is None else text("memory_type", memory_type),
        "tags": None if tags is None else texts("tags", tags),
        "thread": None if thread is None else text("thread", thread),
        "since": moment("since", since),
        "until": moment("until", until),
    }


def _least(min_importance: float | None) -> float | None:
    return None if min_importance is None else score("min_importance", min_importance)


def _now_ms() -> int:
    return int(time() * 1000)


def _folder(path: str | os.PathLike[str] | None) -> str:
    if path is not None:
        return os.path.expanduser(_named(path))
    return str(default_path())


def _named(path: str | os.PathLike[str]) -> str:
    """The path as text. Anything else is refused: `open` would take a number for a descriptor, and close it."""
    if not isinstance(path, str | os.PathLike) or not isinstance(name := os.fspath(path), str):
        raise TypeError(f"path is text or a Path, not {type(path).__name__}")
    if not name:
        raise ValueError("path is empty")
    return name


def _is_bundle(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(BUNDLE_MAGIC)) == BUNDLE_MAGIC
    except OSError:
        return False
