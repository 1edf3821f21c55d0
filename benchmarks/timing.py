"""Timing ours and the yardstick in turns, so that a busy machine slows both."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter

__all__ = ["Race", "Timing", "race"]


@dataclass(frozen=True)
class Timing:
    """Seconds of single calls, in rounds."""

    rounds: tuple[tuple[float, ...], ...]

    def quantile(self, share: float) -> float:
        """The time that this share of all calls took at most, in seconds."""
        calls = sorted(seconds for calls in self.rounds for seconds in calls)
        return calls[min(len(calls) - 1, int(share * len(calls)))]

    @property
    def p50(self) -> float:
        """The median of all calls, in seconds."""
        return median(seconds for calls in self.rounds for seconds in calls)

    @property
    def p99(self) -> float:
        """What 99 of 100 calls took at most, in seconds."""
        return self.quantile(0.99)


@dataclass(frozen=True)
class Race:
    """Two contestants, timed in the same rounds."""

    ours: Timing
    yardstick: Timing

    @property
    def ratio(self) -> float:
        """How many times as long as the yardstick ours takes: the median over the rounds."""
        pairs = zip(self.ours.rounds, self.yardstick.rounds, strict=True)
        return median(median(ours) / median(yardstick) for ours, yardstick in pairs)


def race(ours: Callable[[], object], yardstick: Callable[[], object], *, rounds: int, calls: int) -> Race:
    """Times both in turns, `calls` calls of each in every round; who begins changes from round to round.

    One call of each goes before, untimed: opening connections and compiling statements is measured elsewhere.
    """
    contestants: Mapping[str, Callable[[], object]] = {"ours": ours, "yardstick": yardstick}
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in contestants}
    for call in contestants.values():
        call()
    # What the harness keeps alive (corpora, stores) must not be walked again and again while somebody is timed.
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        order = list(contestants)
        for name in order if number % 2 == 0 else reversed(order):
            times[name].append(_timed(contestants[name], calls))
    gc.unfreeze()
    return Race(Timing(tuple(times["ours"])), Timing(tuple(times["yardstick"])))


def _timed(call: Callable[[], object], calls: int) -> tuple[float, ...]:
    taken = []
    for _ in range(calls):
        started = perf_counter()
        call()
        taken.append(perf_counter() - started)
    return tuple(taken)
