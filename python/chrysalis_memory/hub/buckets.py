"""Rates: buckets from which each caller takes, refilled by the time that has passed."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import Final

__all__ = ["Buckets"]

CALLERS_MAX: Final = 10_000
"""Callers that are remembered. Whoever is dropped was not heard for longest and begins with a full bucket."""


class Buckets:
    """One bucket for each caller: it holds at most `burst`, and `per_s` flow in each second. Thread-safe.

    >>> buckets = Buckets(per_s=2, burst=1)
    >>> buckets.take("ada", now_s=0.0), buckets.take("ada", now_s=0.0), buckets.take("ada", now_s=0.5)
    (0.0, 0.5, 0.0)
    """

    def __init__(self, *, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, *, now_s: float) -> float:
        """Takes one; 0 when there was one, otherwise how many seconds until there will be."""
        with self._lock:
            left = self._now_left(caller, now_s)
            wait = 0.0 if left >= 1 else (1 - left) / self._per_s
            self._keep(caller, left - 1 if left >= 1 else left, now_s)
            return wait

    def wait_s(self, caller: str, *, now_s: float) -> float:
        """How long until one could be taken; takes none."""
        with self._lock:
            left = self._now_left(caller, now_s)
            return 0.0 if left >= 1 else (1 - left) / self._per_s

    def _now_left(self, caller: str, now_s: float) -> float:
        left, at_s = self._left.get(caller, (self._burst, now_s))
        return min(self._burst, left + max(0.0, now_s - at_s) * self._per_s)

    def _keep(self, caller: str, left: float, now_s: float) -> None:
        self._left[caller] = (left, now_s)
        self._left.move_to_end(caller)
        while len(self._left) > CALLERS_MAX:
            self._left.popitem(last=False)


def whole_seconds(wait_s: float) -> str:
    """As the header `Retry-After` has it.

    >>> whole_seconds(0.2), whole_seconds(3.0)
    ('1', '3')
    """
    return str(max(1, math.ceil(wait_s)))
