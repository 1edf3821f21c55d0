"""Crystals in a store: memories of their own kind, signed, replicated, recalled and forgotten like all others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeAlias

from chrysalis_memory._core import Memory
from chrysalis_memory._reading import core_filters
from chrysalis_memory._said import known_id, whole
from chrysalis_memory.context._crystal_codec import (
    MEMORY_TYPE,
    Laid,
    as_it_stands,
    lay_out,
    read_crystal,
)
from chrysalis_memory.context.crystal import CRYSTAL_TTL, StateCrystal, TaskState, new_crystal_id
from chrysalis_memory.context.entry import CrystalEntry, TreeRow, lineage_of, tree_of
from chrysalis_memory.errors import NotFound
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.records import Duration, Receipt

__all__ = ["Crystals"]

_MOMENT: Final = timedelta(milliseconds=1)
_AT_ONCE: Final = 16  # memories read in one go: each may hold megabytes

# Inside a class with a method `list`, the type needs another name.
Entries: TypeAlias = "list[CrystalEntry]"
Rows: TypeAlias = "list[TreeRow]"


class Crystals:
    """The crystals of one store. Its calls block; the engine awaits them.

    >>> crystals = Crystals(example_store())
    >>> saved = crystals.save(StateCrystal("c1", "ada", "2026-03-01T12:00Z", TaskState("fire the kiln"), pinned=True))
    >>> crystals.get("c1") == saved, [entry.task for entry in crystals.list()]
    (True, ['fire the kiln'])
    """

    def __init__(self, memory: ChrysalisMemory) -> None:
        self._memory = memory

    @property
    def memory(self) -> ChrysalisMemory:
        """The store that they lie in."""
        return self._memory

    def save(self, crystal: StateCrystal, *, scope: str = "", tags: Iterable[str] = ()) -> StateCrystal:
        """Writes a crystal, wholly or not at all: on disk when this returns. Saving it again writes nothing.

        It opens a batch of its own, and so can't be called inside one.

        Raises `TooLarge` above 4 MiB of data, `ValueError` for one that has faded already or whose id another memory
        has, and what `remember` raises.
        """
        laid = lay_out(crystal, self._memory.config.payload_bytes_max)
        standing = self._standing(crystal, laid)
        with self._memory.batch():
            # What is there keeps the life that it has now.
            written = self._begin(crystal, laid, scope, tags) if standing is None else standing
            parts = laid.rest if standing is None else (laid.parts_of_first(), *laid.rest)
            for part in parts:
                written = self._memory.update(crystal.crystal_id, metadata=part)
        return as_it_stands(crystal, written)

    def _standing(self, crystal: StateCrystal, laid: Laid) -> Memory | None:
        standing = self._memory.get(crystal.crystal_id)
        if standing is None and crystal.is_expired():
            raise ValueError(f"crystal {crystal.crystal_id!r} has faded already: its time was over")
        if standing is not None and not laid.is_begun_in(standing):
            raise ValueError(f"another memory has the id {crystal.crystal_id!r}")
        return standing

    def _begin(self, crystal: StateCrystal, laid: Laid, scope: str, tags: Iterable[str]) -> Memory:
        left = crystal.timestamp + crystal.ttl - datetime.now(timezone.utc)
        return self._memory.remember(
            laid.content,
            id=crystal.crystal_id,
            memory_type=MEMORY_TYPE,
            scope=scope,
            tags=tags,
            thread=crystal.thread,
            parents=() if crystal.parent_crystal is None else (crystal.parent_crystal,),
            metadata=laid.first,
            ttl=None if crystal.pinned else max(left, _MOMENT),
        )

    def get(self, id: str) -> StateCrystal:
        """The crystal with this id, as it was saved.

        Raises `NotFound` if there is none, or with the code `crystal_incomplete` while parts of it are on their way;
        `Malformed` (`crystal_malformed`) if somebody wrote what is no crystal.
        """
        return read_crystal(self._existing(id))

    def _existing(self, id: str) -> Memory:
        found = self._memory.get(known_id(id))
        if found is None:
            hint = "It has faded, was composted, or has not come yet. `chrysalis context list` shows what is here."
            raise NotFound(f"there is no crystal {id!r} in the store", hint=hint, id=id)
        if found.memory_type != MEMORY_TYPE:
            raise NotFound(f"memory {id!r} is no crystal", id=id)
        return found

    def list(
        self,
        *,
        agent: str | None = None,
        thread: str | None = None,
        scope: str | None = None,
        limit: int = 1_000,
    ) -> Entries:
        """The crystals that have not faded, newest first, also those that can't be resumed: their `problem` says why.

        >>> Crystals(example_store()).list(agent="ada")
        []
        """
        found: Entries = []
        for entry in self.entries(thread=thread, scope=scope):
            if len(found) >= whole("limit", limit, 0):
                break
            if (agent is None or entry.agent == agent) and not entry.is_expired():
                found.append(entry)
        return found

    def entries(self, *, thread: str | None = None, scope: str | None = None) -> Iterator[CrystalEntry]:
        """Every crystal that the store has, newest first, also those that have faded and are not swept away yet."""
        # Without a time, the core leaves nothing out that has ended.
        filters = core_filters(memory_type=MEMORY_TYPE, thread=thread, scope=scope)
        seen: set[str] = set()
        offset = 0
        while page := self._memory._core().list(filters, "created", True, _AT_ONCE, offset):
            offset += len(page)
            # A new crystal may push those before it to the next page.
            yield from (CrystalEntry.of(one) for one in page if one.id not in seen)
            seen.update(one.id for one in page)

    def branch(
        self,
        id: str,
        reason: str,
        *,
        ttl: Duration = CRYSTAL_TTL,
        agent: str | None = None,
        task_state: TaskState | None = None,
        working_memory: dict[str, Any] | None = None,
    ) -> StateCrystal:
        """A new crystal that goes another way from this one, one branch deeper. The other stays as it is.

        >>> crystals = Crystals(example_store())
        >>> trunk = crystals.save(StateCrystal("c1", "ada", "2026-03-01T12:00Z", pinned=True))
        >>> branch = crystals.branch("c1", "try cone 10")
        >>> branch.parent_crystal, branch.branch_depth, branch.branch_reason
        ('c1', 1, 'try cone 10')
        """
        parent = self._existing(id)
        crystal = read_crystal(parent)
        changed = replace(
            crystal,
            crystal_id=new_crystal_id(),
            agent=self._memory.agent_id if agent is None else agent,
            timestamp=datetime.now(timezone.utc),
            parent_crystal=crystal.crystal_id,
            branch_reason=reason,
            branch_depth=crystal.branch_depth + 1,
            ttl=ttl,  # type: ignore[arg-type]  # read as `remember` reads it
            pinned=False,
            task_state=crystal.task_state if task_state is None else task_state,
            working_memory=crystal.working_memory if working_memory is None else working_memory,
        )
        return self.save(changed, scope=parent.scope, tags=parent.tags)

    def cherish(self, id: str) -> StateCrystal:
        """Pins a crystal: it stays, whole, until it is composted. Raises what `get` raises."""
        self.get(id)
        return read_crystal(self._memory.update(id, ttl=None))

    def uncherish(self, id: str, *, ttl: Duration = CRYSTAL_TTL) -> StateCrystal:
        """Lets a crystal fade after `ttl` from now. A reaper erases its words then, since they had been said to stay.

        Raises what `get` raises.
        """
        self.get(id)
        return read_crystal(self._memory.update(id, ttl=ttl))

    def compost(self, id: str, *, reason: str = "") -> Receipt:
        """Forgets a crystal for good, also one that is cherished or can't be read: its words leave every file.

        Raises `NotFound`, and `NotAllowed` in a closed space for a crystal of another replica unless this one is an
        administrator.
        """
        self._existing(id)
        return self._memory.forget(id, reason=reason)

    def lineage(self, id: str) -> Entries:
        """The crystal, its parent, and so on up to where its line began. Where the chain ends early, because a parent
        is not here or the chain runs in a circle, the last entry says so as its `problem`. Raises `NotFound`."""
        first = CrystalEntry.of(self._existing(id))
        return lineage_of(first, {one.crystal_id: one for one in self.entries() if not one.is_expired()})

    def tree(self, *, agent: str | None = None, thread: str | None = None, scope: str | None = None) -> Rows:
        """The crystals as rows of a tree, parents before children and older before newer, each crystal once.

        >>> crystals = Crystals(example_store())
        >>> trunk = crystals.save(StateCrystal("c1", "ada", "2026-03-01T12:00Z", TaskState("fire"), pinned=True))
        >>> branch = crystals.branch("c1", "try cone 10")
        >>> [(row.level, row.entry.branch_reason) for row in crystals.tree()]
        [(0, None), (1, 'try cone 10')]
        """
        return tree_of(self.list(agent=agent, thread=thread, scope=scope, limit=1 << 30))
