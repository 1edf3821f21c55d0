"""One caller of an embedder at a time, and a question before the next batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Turns"]


class Turns:
    """A lock with two doors: whoever comes for an agent goes before whoever works in the background."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._agents = 0

    @contextmanager
    def of_agent(self, patience_s: float | None = None) -> Iterator[bool]:
        """The next turn; False, and no turn, when it did not come within `patience_s`."""
        with self._changed:
            self._agents += 1
            try:
                mine = self._changed.wait_for(lambda: not self._taken, patience_s)
                self._taken = self._taken or mine
            finally:
                self._agents -= 1
                self._changed.notify_all()
        try:
            yield mine
        finally:
            if mine:
                self._end()

    @contextmanager
    def of_background(self) -> Iterator[None]:
        """A turn when no agent waits for one."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken and not self._agents)
            self._taken = True
        try:
            yield
        finally:
            self._end()

    def _end(self) -> None:
        with self._changed:
            self._taken = False
            self._changed.notify_all()
