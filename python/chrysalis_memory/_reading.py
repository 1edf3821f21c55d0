"""Reading: memories by id, by time and by question; their history, links and proofs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from time import perf_counter
from typing import Literal, TypeAlias

from chrysalis_memory._core import Memory
from chrysalis_memory._opened import Opened, now_ms
from chrysalis_memory._said import Said, known_id, moment, score, text, texts, whole
from chrysalis_memory._why import missing, why
from chrysalis_memory.errors import NotFound
from chrysalis_memory.ranking import Ranking, is_default, rank
from chrysalis_memory.records import (
    Conflict,
    Hit,
    Instant,
    Outcome,
    Problem,
    Proof,
    Recall,
    Revision,
    Stats,
    Verification,
)

__all__ = ["Reading", "core_filters", "core_least"]

_LINEAGE_MAX = 10_000
_THRESHOLDS = ("none", "lenient", "balanced", "strict")
_RANKED_PER_HIT = 3  # candidates a ranking chooses from, for every hit asked for (specification B)

# Inside a class with a method `list`, the type needs another name.
Memories: TypeAlias = "list[Memory]"
MaybeMemories: TypeAlias = "list[Memory | None]"
Revisions: TypeAlias = "list[Revision]"
Conflicts: TypeAlias = "dict[str, list[Conflict]]"
Proofs: TypeAlias = "list[Proof]"
Found: TypeAlias = "list[Hit]"
Texts: TypeAlias = "list[str]"
Mode = Literal["hybrid", "text", "vector"]
Threshold: TypeAlias = 'Literal["none", "lenient", "balanced", "strict"] | float'
Dates = Literal["lift", "narrow", "ignore"]
Order = Literal["created", "updated", "importance"]


class Reading(Opened):
    """What an open store answers."""

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
        thread: str | None = None,
        speaker: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        as_of: Instant | None = None,
        min_importance: float | None = None,
        verified_only: bool = False,
        mode: Mode = "hybrid",
        ranking: Ranking = None,
        threshold: Threshold = "lenient",
        reference_time: Instant | None = None,
        dates: Dates = "lift",
        prefix: bool = False,
    ) -> Recall:
        """Finds the memories that fit a question, best first, at most `k`; none when nothing fits.

        Finds every write that was acknowledged before, by any process. `scope` includes the scopes below it; `tags`
        must all be there; `thread` and `speaker` are matched whole; `since` and `until` bound the time of creation;
        `as_of` asks what was known and valid at that time; `verified_only` checks each hit's signatures now. `mode` is
        `hybrid`, `text` or `vector`; `ranking` a name in `chrysalis_memory.ranking` or a function from hit to score.
        `threshold` is the least score of a hit: `none`, `lenient` (0.02), `balanced` (0.3), `strict` (0.7) or a number.
        Times in the question ("last week", "in May 2023") count from `reference_time`, now unless given; with `dates`
        as `lift` they rank memories of that time higher, with `narrow` others are no hits, with `ignore` they are words
        like others. `prefix` lets a star after the last word stand for any ending. Quoted words are looked for as a
        phrase. `outcome` says whether something was missing, `stages` how many seconds each step took.

        >>> memory = example_store()
        >>> _ = memory.remember("Bricks are delivered on Mondays", scope="yard/north")
        >>> hit = memory.recall("when do bricks come", scope="yard")[0]
        >>> hit.memory.content, hit.why
        ('Bricks are delivered on Mondays', 'words: bricks')
        """
        k, query = whole("k", k, 1), text("query", query)
        if mode not in {"hybrid", "text", "vector"}:
            raise ValueError(f"mode is {mode!r}; it must be hybrid, text or vector")
        filters = core_filters(
            scope=scope,
            tier=tier,
            memory_type=memory_type,
            tags=tags,
            thread=thread,
            speaker=speaker,
            since=since,
            until=until,
        )
        filters |= {"min_importance": core_least(min_importance), "now": now_ms()}
        asked = core_question(reference_time, threshold, dates)
        asked |= {"as_of": moment("as_of", as_of), "mode": mode, "prefix": prefix}
        # A ranking chooses among more than are shown; so does a check that may refuse some.
        wanted = k if is_default(ranking) and not verified_only else k * _RANKED_PER_HIT
        found = self._find(query, wanted, filters, asked)
        hits, refused = self._verified(list(found)) if verified_only else (list(found), [])
        hits = rank(hits, ranking, k)
        if self._core().count_uses([hit.memory.id for hit in hits]) >= self.config.access_flush_count:
            self._background.wake()
        reasons = (*found.outcome.reasons, *refused)
        return Recall(tuple(hits), Outcome(not reasons, reasons), found.stages)

    def _find(self, query: str, k: int, filters: Said, asked: Said) -> Recall:
        started = perf_counter()
        reasons: Texts = []
        vector, without = None, None
        if asked["mode"] != "text":
            vector, without = self._vectors.for_recall(query, self.config.recall_embed_max)
        stages = {"embed": perf_counter() - started}
        if asked["mode"] == "vector" and vector is None:
            reasons.append(f"{without or 'there is no embedder'}: nothing was searched")
        elif without is not None:
            reasons.append(f"{without}: found by words alone")
        answer = self._core().recall(
            query, k, filters, asked | {"vector": vector, "is_fitted": self._vectors.is_fitted}
        )
        # Changed memories are found by words in every mode; that is only less than asked for when there are vectors.
        changed_since = answer["changed_since"] if vector else 0
        reasons.extend(missing(answer["without_vector"], changed_since, answer["batch_unseen"]))
        hits = [Hit(memory, score, why(evidence), evidence["parts"]) for memory, score, evidence in answer["hits"]]
        return Recall(tuple(hits), Outcome(not reasons, tuple(reasons)), stages | answer["stages"])

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
        filters = core_filters(scope=scope, tier=tier, memory_type=memory_type, tags=tags, thread=thread)
        filters |= {"min_importance": core_least(min_importance), "now": now_ms()}
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
        filters = core_filters(scope=scope, tier=tier, memory_type=memory_type, tags=tags, since=start, until=end)
        return self._core().list(filters | {"now": now_ms()}, "created", False, whole("limit", limit, 0), 0)

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

    def proofs(self) -> Proofs:
        """Replicas that were proven to have told two stories under one number of a signed log, by accident or not:
        each proof is checked by anyone who holds it. What they said from there on counts nowhere.

        >>> example_store().proofs()
        []
        """
        return [Proof(*proven) for proven in self._core().proofs()]

    def stats(self) -> Stats:
        """Counts and sizes.

        >>> example_store().stats().memories
        0
        """
        core = self._core()
        numbers = core.stats()
        embedder = self._vectors.embedder
        every, embedded, indexed, indexing = 0, 0, 0, None
        if embedder is not None:
            every, embedded = core.vector_state(embedder.name)
            _, indexed, indexing = core.vector_index(embedder.name)
        return Stats(
            path=str(self._replica.path),
            space=self.space,
            replica=core.public_key,
            vectors_pending=every - embedded,
            vectors_indexed=indexed,
            vectors_indexing=indexing,
            embedder=None if embedder is None else embedder.name,
            **numbers,
        )


def core_filters(
    *,
    scope: str | None = None,
    tier: str | None = None,
    memory_type: str | None = None,
    tags: Iterable[str] | None = None,
    thread: str | None = None,
    speaker: str | None = None,
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
        "speaker": None if speaker is None else text("speaker", speaker),
        "since": moment("since", since),
        "until": moment("until", until),
    }


def core_question(reference_time: Instant | None, threshold: Threshold, dates: Dates) -> Said:
    """How a question is meant, in the core's terms. Times in it are meant in the local time zone."""
    if isinstance(threshold, str):
        if threshold not in _THRESHOLDS:
            raise ValueError(f"threshold is {threshold!r}; it must be {', '.join(_THRESHOLDS)} or a number from 0 to 1")
    else:
        threshold = score("threshold", threshold)
    if dates not in {"lift", "narrow", "ignore"}:
        raise ValueError(f"dates is {dates!r}; it must be lift, narrow or ignore")
    reference = moment("reference_time", reference_time)
    reference = now_ms() if reference is None else reference
    return {"reference": reference, "offset": _utc_offset(reference), "threshold": threshold, "dates": dates}


def _utc_offset(at_ms: int) -> int:
    """What the local clock is ahead of UTC at that time, in minutes; 0 for times that a datetime can't hold."""
    try:
        offset = datetime.fromtimestamp(at_ms / 1000).astimezone().utcoffset()
    except (OverflowError, OSError, ValueError):
        return 0
    return 0 if offset is None else int(offset.total_seconds() // 60)


def core_least(min_importance: float | None) -> float | None:
    return None if min_importance is None else score("min_importance", min_importance)
