"""When to try again what failed: after pauses that grow, never in a busy loop."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

__all__ = ["Pauses"]

_FIRST_S: Final = 1.0
_MOST_S: Final = 60.0


class Pauses:
    """The pauses of one embedder: a second after the first failure, twice as long after each further one, a minute at
    most; somewhat at random, so that many processes do not come back together.

    >>> now = [0.0]
    >>> pauses = Pauses(clock=lambda: now[0], jitter=lambda: 1.0)
    >>> pauses.failed(), pauses.left_s()
    (True, 1.0)
    >>> now[0] = 1.0; pauses.left_s()
    0.0
    >>> pauses.failed(), pauses.failed(), pauses.left_s()
    (False, False, 4.0)
    >>> pauses.worked(); pauses.left_s()
    0.0
    """

    def __init__(self, clock: Callable[[], float] = monotonic, jitter: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._jitter = jitter or _jitter
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0

    def failed(self, at_least_s: float = 0.0) -> bool:
        """The embedder failed, and asked for so long a pause; returns whether it had worked until now."""
        with self._lock:
            self._failures += 1
            pause_s = min(_FIRST_S * 2 ** (self._failures - 1), _MOST_S) * self._jitter()
            self._until = self._clock() + max(pause_s, min(at_least_s, _MOST_S))
            return self._failures == 1

    def worked(self) -> None:
        """The embedder works: the next failure begins with a short pause again."""
        with self._lock:
            self._failures = 0
            self._until = 0.0

    def left_s(self) -> float:
        """How long is still to be waited."""
        with self._lock:
            return max(0.0, self._until - self._clock()) if self._failures else 0.0


def _jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311
