"""`ChrysalisMemory`: one replica of one space, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import monotonic, sleep
from typing import TypeAlias

from chrysalis_memory._intake import BUNDLE_MAGIC, take_in
from chrysalis_memory._opened import named
from chrysalis_memory._sharing import Sharing
from chrysalis_memory.importing import read_records
from chrysalis_memory.records import (
    Change,
    ImportProblem,
    ImportReport,
)

__all__ = ["ChrysalisMemory"]

_WATCHED_AT_ONCE = 1_000

# Inside a class with a method `list`, the type needs another name.
Changes: TypeAlias = "list[Change]"


class ChrysalisMemory(Sharing):
    """Memories of one or more agents, in one folder. Thread-safe; any number of processes may open the same folder.

    `path` is the store's folder, made when it is missing; None is `default` in the platform's data folder. `agent_id`
    is the name under which this object speaks. `space` names the set of memories; a store keeps one, and None is the
    one that it keeps (a new one: the open space `default`). With `closed` a store that belongs to no closed space
    founds one, with `invite` it joins one by a token; either is done once, and what the store remembers comes along.
    `passphrase` opens a store that is encrypted, and encrypts a new one; the text is kept nowhere.
    `peers` and `listen` link it to other replicas, `policy` says when what is written leaves (`streaming`, `lumped`,
    `check_in`, or a `Policy` of `chrysalis_memory.network`), `sync=True` links it to the addresses that it keeps.
    `embedder` is `"auto"`, `"none"`, a function from text to vector, or an `Embedder`. Raises `StoreError` and its
    kinds when the store can't be opened, `ValueError` when it keeps another space, and `NotAllowed` when it can't join.

    >>> import tempfile
    >>> with ChrysalisMemory(tempfile.mkdtemp(), agent_id="ada") as memory:
    ...     _ = memory.remember("The kiln reaches 1240 degrees", tags=["kiln"])
    ...     memory.recall("how hot does the kiln get?")[0].memory.content
    'The kiln reaches 1240 degrees'
    """

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

    def rebuild(self) -> None:
        """Makes views and indexes again from the log; answers stay equal. Vectors are made again in the background."""
        self._core().rebuild()
        self._background.wake()

    def export(self, path: str | os.PathLike[str]) -> int:
        """Writes every operation of the space into one file, which `import_` of any store merges and verifies.

        The file appears whole or not at all. Returns how many operations it holds.
        """
        return self._core().export(named(path))

    def import_(self, path: str | os.PathLike[str], *, format: str | None = None) -> ImportReport:
        """Takes in a bundle of `export`, or what another program wrote: see `chrysalis_memory.importing`.

        Twice imported is once imported. What can't be used is named by file and line, and the rest goes on.
        """
        name = named(path)
        if format in {None, "bundle"} and _is_bundle(name):
            return self._import_bundle(name)
        return take_in(read_records(name, format=format), self._remember_all, name)

    def _import_bundle(self, name: str) -> ImportReport:
        read, added, known, refused = self._core().import_bundle(name)
        self._background.wake()
        self._changed()
        failed = [ImportProblem(name, 0, f"at byte {offset}: {what}") for offset, _, what in refused]
        return ImportReport(read, added, known, tuple(failed))


def _is_bundle(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(BUNDLE_MAGIC)) == BUNDLE_MAGIC
    except OSError:
        return False
