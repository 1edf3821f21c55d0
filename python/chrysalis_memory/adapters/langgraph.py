"""LangGraph's checkpoints as crystals: signed, replicated, recallable, forgotten by the same path as every memory.

Each checkpoint is one crystal; what tasks wrote meanwhile is added to it. Needs `langgraph-checkpoint` 4 or newer:
`pip install 'chrysalis-memory[langgraph]'`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from threading import Lock
from typing import Any, Final, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from chrysalis_memory._core import Memory
from chrysalis_memory.adapters._langgraph_codec import (
    TAG_LETTERS,
    Place,
    Saved,
    Write,
    checkpoint_id,
    in_groups,
    read_writes,
    tag,
    tagged,
    words_of,
    write_key,
    write_parts,
    writes_in,
)
from chrysalis_memory.agent import AgentMemory
from chrysalis_memory.context._crystal_codec import read_crystal
from chrysalis_memory.context._threads import AnyMemory
from chrysalis_memory.context.crystal import CRYSTAL_TTL, StateCrystal, TaskState, new_crystal_id
from chrysalis_memory.context.crystals import Crystals
from chrysalis_memory.context.entry import CrystalEntry
from chrysalis_memory.context.tokens import estimate_tokens
from chrysalis_memory.errors import Malformed, NotFound, TooLarge
from chrysalis_memory.records import Duration

__all__ = ["ChrysalisSaver"]

_LOG: Final = logging.getLogger(__name__)
_AT_ONCE = 32  # checkpoints looked at together
_EARLY_MAX = 1_000  # checkpoints whose writes came before them
_UNREADABLE = (Malformed, NotFound, TooLarge)

# Inside a class with a method `list`, the type needs another name.
Found: TypeAlias = "list[tuple[str, str]]"


class ChrysalisSaver(BaseCheckpointSaver[int]):
    """Keeps the checkpoints of graphs in a memory, under `scope`; give it to `graph.compile(checkpointer=...)`.

    `memory` is an open `ChrysalisMemory` or a started `AgentMemory`; the saver does not close it. A checkpoint is on
    disk when `put` returns. It stays, unless `ttl` lets each fade so long after it was made. Other members of the space
    may have written what is read, so types are restored by LangGraph's strict list and the graph's own schema alone;
    others come back as plain data, unless `serde` allows more. Compressed, a checkpoint takes 1 MiB at most; above,
    `put` raises `TooLarge`.

    >>> from langgraph.checkpoint.base import empty_checkpoint
    >>> saver = ChrysalisSaver(example_store())
    >>> config = {"configurable": {"thread_id": "t1", "checkpoint_ns": ""}}
    >>> state = empty_checkpoint() | {"channel_values": {"topic": "glazes"}, "channel_versions": {"topic": 1}}
    >>> at = saver.put(config, state, {"source": "input", "step": -1}, {"topic": 1})
    >>> saver.get_tuple(config).checkpoint["channel_values"]
    {'topic': 'glazes'}
    """

    def __init__(
        self,
        memory: AnyMemory,
        *,
        scope: str = "langgraph",
        ttl: Duration | None = None,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(serde=serde or JsonPlusSerializer(allowed_msgpack_modules=None))
        self.memory = memory.blocking if isinstance(memory, AgentMemory) else memory
        self.scope = scope
        self.ttl = ttl
        self._crystals = Crystals(self.memory)
        # Graphs store a checkpoint and what comes after it side by side: writes may come before their checkpoint.
        self._lock = Lock()
        self._early: dict[tuple[Place, str], dict[str, Any]] = {}

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002  each checkpoint holds all channels
    ) -> RunnableConfig:
        """Stores a checkpoint after the one that `config` names. One with a known id is replaced; its writes stay."""
        place, parent = Place.of(config), checkpoint_id(config)
        if not 0 < len(checkpoint["id"]) <= TAG_LETTERS:
            raise ValueError(f"the id of a checkpoint has 1 to {TAG_LETTERS} letters, not {len(checkpoint['id'])}")
        said = get_serializable_checkpoint_metadata(config, metadata)
        saved = Saved(place, checkpoint["id"], parent, self.serde.dumps_typed(checkpoint), self.serde.dumps_typed(said))
        crystal = self._crystal(saved, checkpoint, said, self._find(place, parent))
        tags = [tag("checkpoint", saved.id), tag("namespace", place.namespace)]
        if isinstance(run := said.get("run_id"), str) and run:
            tags.append(tag("run", run))
        with self._lock:
            known = self._find(place, saved.id)
            writes = {} if known is None else writes_in(known.metadata)
            self._save(crystal, tags, writes | self._early.pop((place, saved.id), {}))
        if known is not None:
            self._forget([known.id], "written again")
        return place.config(saved.id)

    def _crystal(
        self, saved: Saved, checkpoint: Checkpoint, said: CheckpointMetadata, parent: Memory | None
    ) -> StateCrystal:
        """The checkpoint as a crystal; a fork is a branch of it."""
        forked = said.get("source") == "fork"
        before = None if parent is None else CrystalEntry.of(parent)
        if before is not None and before.problem is not None:
            before = None
        summary = words_of(checkpoint["channel_values"])
        return StateCrystal(
            new_crystal_id(),
            self.memory.agent_id,
            datetime.now(timezone.utc),
            TaskState(f"LangGraph thread {saved.place.thread}, step {said.get('step', '?')}"),
            working_memory={"langgraph": saved.to_values()},
            history_summary=summary,
            summary_tokens=estimate_tokens(summary),
            parent_crystal=None if before is None else before.crystal_id,
            branch_reason="fork" if forked else None,
            branch_depth=(0 if before is None else before.branch_depth) + forked,
            ttl=CRYSTAL_TTL if self.ttl is None else self.ttl,  # type: ignore[arg-type]  # read as `remember` reads it
            pinned=self.ttl is None,
            thread=saved.place.thread,
        )

    def _save(self, crystal: StateCrystal, tags: Iterable[str], writes: Mapping[str, Any]) -> None:
        self._crystals.save(crystal, scope=self.scope, tags=tags)
        self._add(crystal.crystal_id, writes)

    def _add(self, id: str, parts: Mapping[str, Any]) -> None:
        if not parts:
            return
        with self.memory.batch() as memory:
            for group in in_groups(parts, memory.config.payload_bytes_max):
                memory.update(id, metadata=group)

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Adds what a task wrote to the checkpoint that `config` names; the same again changes nothing.

        What comes before its checkpoint waits for it in this process, and is written together with it.
        Raises `NotFound` when too much waits for checkpoints that never came.
        """
        place, name = Place.of(config), str(config["configurable"]["checkpoint_id"])
        with self._lock:
            at = self._find(place, name)
            if at is not None:
                self._add(at.id, self._new_writes(at.metadata, writes, task_id, task_path))
                return
            if (place, name) not in self._early and len(self._early) >= _EARLY_MAX:
                raise NotFound(
                    f"thread {place.thread!r} has no checkpoint {name!r} to which a task could write", id=name
                )
            early = self._early.setdefault((place, name), {})
            early |= self._new_writes(early, writes, task_id, task_path)

    def _new_writes(
        self, standing: Mapping[str, Any], writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
    ) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for number, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, number)
            # What a task wrote stands; errors, interrupts and what they are resumed with are said anew.
            if index < 0 or f"{write_key(task_id, index)}.0000" not in standing:
                write = Write(task_id, task_path, index, channel, self.serde.dumps_typed(value))
                parts |= write_parts(write, self.memory.config.payload_bytes_max)
        return parts

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the newest of its thread and namespace that can be read; None if there
        is none."""
        place, named = Place.of(config), checkpoint_id(config)
        memory = self._find(place, named or self._newest(place))
        found = None if memory is None else self._tuple(memory)
        if found is None and memory is not None and named is None:
            newest = {"thread_id": place.thread, "checkpoint_ns": place.namespace}
            return next(self.list({"configurable": newest}, limit=1), None)
        return found

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Checkpoints with the greatest id first: of the thread of `config` (of all for None), in its namespace if it
        names one, with these metadata, before that one."""
        told = {} if config is None else config["configurable"]
        place = None if config is None else Place.of(config)
        tags = [tag("namespace", place.namespace)] if place is not None and "checkpoint_ns" in told else []
        if only := checkpoint_id(config):
            tags.append(tag("checkpoint", only))
        end = checkpoint_id(before)
        given = 0
        for name, crystal in self._named(None if place is None else place.thread, tags):
            if limit is not None and given >= limit:
                return
            memory = self.memory.get(crystal) if end is None or name < end else None
            found = None if memory is None else self._tuple(memory)
            if found is not None and _matches(found.metadata, filter):
                given += 1
                yield found

    def delete_thread(self, thread_id: str) -> None:
        """Forgets every checkpoint of a thread: its words leave every file."""
        self._forget((crystal for _, crystal in self._named(thread_id)), "thread deleted")

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Forgets every checkpoint that these runs made."""
        for run in run_ids:
            self._forget((crystal for _, crystal in self._named(None, [tag("run", run)])), "run deleted")

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copies every checkpoint of a thread, with what tasks wrote, to another thread."""
        copies: dict[str, str] = {}
        for _, source in reversed(self._named(source_thread_id)):
            memory = self.memory.get(source)
            if memory is None or (read := _readable(memory)) is None:
                continue
            crystal, saved = read
            place = replace(saved.place, thread=str(target_thread_id))
            if self._find(place, saved.id) is not None:
                continue
            copied = replace(
                crystal,
                crystal_id=new_crystal_id(),
                timestamp=datetime.now(timezone.utc),
                working_memory={"langgraph": replace(saved, place=place).to_values()},
                parent_crystal=copies.get(crystal.parent_crystal or ""),
                thread=place.thread,
            )
            copies[crystal.crystal_id] = copied.crystal_id
            self._save(copied, memory.tags, writes_in(memory.metadata))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Forgets checkpoints of these threads: all but the newest of each namespace (`keep_latest`), or all
        (`delete`). What the newest needs to restore a `DeltaChannel` is kept, too."""
        if strategy not in {"keep_latest", "delete"}:
            raise ValueError(f"strategy is {strategy!r}; it must be keep_latest or delete")
        for thread in thread_ids:
            named = self._named(thread)
            kept = self._needed(named) if strategy == "keep_latest" else set()
            self._forget((crystal for name, crystal in named if name not in kept), "pruned")

    def _needed(self, named: Found) -> set[str]:
        """The newest checkpoint of each namespace, and those before it as far as its delta channels need them."""
        kept: set[str] = set()
        namespaces: set[str | None] = set()
        for name, crystal in named:
            memory = self.memory.get(crystal)
            namespace = None if memory is None else tagged(memory, "namespace")
            if memory is None or namespace in namespaces or (found := self._tuple(memory)) is None:
                continue
            namespaces.add(namespace)
            kept.add(name)
            kept.update(self._ancestors(found))
        return kept

    def _ancestors(self, newest: CheckpointTuple) -> Iterator[str]:
        wanted = set(newest.metadata.get("counters_since_delta_snapshot") or ())
        seen: set[str] = set()
        at: CheckpointTuple | None = newest
        while at is not None and (wanted := wanted - set(at.checkpoint["channel_values"])):
            before = checkpoint_id(at.parent_config)
            if before is None or before in seen or at.parent_config is None:
                return
            seen.add(before)
            yield before
            at = self.get_tuple(at.parent_config)

    def _find(self, place: Place, id: str | None) -> Memory | None:
        """The crystal of a checkpoint, the one written last if there are several."""
        if id is None:
            return None
        tags = [tag("checkpoint", id), tag("namespace", place.namespace)]
        found = self._list(place.thread, tags, 0, 1)
        return found[0] if found else None

    def _list(self, thread: str | None, tags: Sequence[str], offset: int, limit: int) -> Sequence[Memory]:
        return self.memory.list(
            scope=self.scope, memory_type="crystal", thread=thread, tags=tags or None, offset=offset, limit=limit
        )

    def _newest(self, place: Place) -> str | None:
        """The greatest id. Ids grow with time, so it is among the checkpoints that were written last; pages are read
        until one brings no greater id."""
        greatest, offset = None, 0
        while page := self._list(place.thread, [tag("namespace", place.namespace)], offset, _AT_ONCE):
            names = [name for name in (tagged(one, "checkpoint") for one in page) if name is not None]
            if greatest is not None and max(names, default="") <= greatest:
                break
            greatest = max([*names, greatest or ""]) or None
            offset += len(page)
        return greatest

    def _named(self, thread: str | None, tags: Sequence[str] = ()) -> Found:
        """Checkpoints as (their id, their crystal's), the greatest first; of one that was written twice the newer."""
        found: dict[tuple[str, frozenset[str]], str] = {}
        offset = 0
        while page := self._list(thread, tags, offset, _AT_ONCE):
            offset += len(page)
            for memory in page:
                if (name := tagged(memory, "checkpoint")) is not None:
                    found.setdefault((name, frozenset(memory.tags) | {memory.thread or ""}), memory.id)
        return sorted(((name, crystal) for (name, _), crystal in found.items()), reverse=True)

    def _tuple(self, memory: Memory) -> CheckpointTuple | None:
        """The checkpoint in a crystal; None, and a line in the log, for one that can't be read or has not all come."""
        read = _readable(memory)
        if read is None:
            return None
        _, saved = read
        return CheckpointTuple(
            config=saved.place.config(saved.id),
            checkpoint=self.serde.loads_typed(saved.checkpoint),
            metadata=self.serde.loads_typed(saved.metadata),
            parent_config=None if saved.parent is None else saved.place.config(saved.parent),
            pending_writes=[
                (one.task, one.channel, self.serde.loads_typed(one.value)) for one in read_writes(memory.metadata)
            ],
        )

    def _forget(self, ids: Iterable[str], reason: str) -> None:
        for one in ids:
            try:
                self._crystals.compost(one, reason=reason)
            except NotFound:
                continue  # another process was first

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """`put`, awaited."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """`put_writes`, awaited."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """`get_tuple`, awaited."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """`list`, awaited."""
        found = self.list(config, filter=filter, before=before, limit=limit)
        while (one := await asyncio.to_thread(next, found, None)) is not None:
            yield one

    async def adelete_thread(self, thread_id: str) -> None:
        """`delete_thread`, awaited."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """`delete_for_runs`, awaited."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """`copy_thread`, awaited."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """`prune`, awaited."""
        await asyncio.to_thread(self.prune, thread_ids, strategy=strategy)


def _readable(memory: Memory) -> tuple[StateCrystal, Saved] | None:
    """A crystal and the checkpoint in it; None, and a line in the log, where one of the two can't be read."""
    try:
        crystal = read_crystal(memory)
        return crystal, Saved.from_values(crystal.working_memory.get("langgraph"))
    except _UNREADABLE as error:
        _LOG.warning("a checkpoint can't be read and is passed over: %s", error)
        return None


def _matches(metadata: CheckpointMetadata, wanted: Mapping[str, Any] | None) -> bool:
    said: Mapping[str, Any] = metadata
    return all(said.get(name) == value for name, value in (wanted or {}).items())
