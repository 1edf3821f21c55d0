"""The quantiles of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

__all__ = ["quantiles", "timed"]


def timed(call: Callable[[str], object], asked: Sequence[str], calls: int) -> list[float]:
    """Seconds of so many calls, over the questions in turn; the first few go before, untimed."""
    for text in asked[:5]:
        call(text)
    taken = []
    for number in range(calls):
        text = asked[number % len(asked)]
        began = perf_counter()
        call(text)
        taken.append(perf_counter() - began)
    return taken


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile, in seconds."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        "p50": median(ordered),
        "p95": ordered[min(last, int(len(ordered) * 0.95))],
        "p99": ordered[min(last, int(len(ordered) * 0.99))],
    }
