"""Watches what changes in the store and writes into the audit log what a merge did: conflicts, and what was forgotten.

It follows the store's feed of changes, so it hears of what came over links, over HTTP and from other processes alike.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from chrysalis_memory.errors import ChrysalisError
from chrysalis_memory.hub.audit import AuditLog
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.records import Change

__all__ = ["Journal"]

LOOK_S: Final = 0.5
"""How often it looks. The log is for people: they can wait so long, and the hub has better things to do."""

KNOWN_MAX: Final = 10_000
"""Memories whose conflicts are remembered, so that each is told once as it stands."""


class Journal:
    """A thread that tells the audit log of conflicts and of what was forgotten, from `start` on."""

    def __init__(self, memory: ChrysalisMemory, audit: AuditLog) -> None:
        self._memory = memory
        self._audit = audit
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chrysalis-journal", daemon=True)
        self._looks = memory._looks(None)

    def start(self) -> None:
        """Begins to watch."""
        next(self._looks)
        self._thread.start()

    def stop(self) -> None:
        """Looks once more and ends."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(LOOK_S):
            self._look()
        self._look()

    def _look(self) -> None:
        try:
            while changes := next(self._looks, ()):
                self._tell(changes)
        except ChrysalisError as error:
            # The disk is full or the store is busy. What changed meanwhile is found by a look from here on.
            self._audit.write("audit_gap", code=error.code)
            self._looks = self._memory._looks(None)

    def _tell(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.kind == "forgotten":
                self._audit.write("forgotten", id=change.id)
        changed = [change.id for change in changes if change.kind != "forgotten"]
        for memory in self._memory.get_many(changed):
            if memory is not None:
                self._compare(memory.id, memory.conflicts)

    def _compare(self, id: str, conflicts: tuple[str, ...]) -> None:
        before = self._known.get(id, ())
        if conflicts == before:
            return
        self._audit.write("conflict" if conflicts else "conflict_settled", id=id, fields=list(conflicts) or None)
        if conflicts:
            self._known[id] = conflicts
            self._known.move_to_end(id)
        else:
            self._known.pop(id, None)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
