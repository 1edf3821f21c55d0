"""One line of the table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.timing import Timing

__all__ = ["Figure", "Row", "rate", "time_of"]


@dataclass(frozen=True)
class Figure:
    """A number with its unit: seconds are shown in what reads best, rates by the second."""

    value: float
    unit: str
    p99: float | None = None

    def __str__(self) -> str:
        """For people: the median, and after a slash the 99th percentile."""
        if self.unit == "s":
            return _seconds(self.value) if self.p99 is None else f"{_seconds(self.value)} / {_seconds(self.p99)}"
        if self.unit == "/s":
            return f"{self.value:,.0f}/s" if self.p99 is None else f"{self.value:,.0f}/s, p99 {_seconds(self.p99)}"
        digits = 0 if self.value >= 100 else 2
        return f"{self.value:,.{digits}f} {self.unit}"


def _seconds(seconds: float) -> str:
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def time_of(timing: Timing) -> Figure:
    """The median and the 99th percentile of a timing."""
    return Figure(timing.p50, "s", timing.p99)


def rate(per_second: float, p99: float | None = None) -> Figure:
    """So many a second, and the 99th percentile of a single one in seconds."""
    return Figure(per_second, "/s", p99)


@dataclass(frozen=True)
class Row:
    """What was measured, beside what, and whether that meets the goal.

    `ratio` is ours over the yardstick: of times, so that below 1 ours is faster; of rates, so that above 1 is.
    """

    what: str
    ours: Figure
    yardstick: Figure | None
    against: str
    ratio: float | None
    goal: str
    met: bool | None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`yes`, `no`, or nothing where there is no goal."""
        return "" if self.met is None else "yes" if self.met else "no"

    def cells(self) -> tuple[str, ...]:
        """What the table shows."""
        beside = "" if self.yardstick is None else str(self.yardstick)
        times = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (self.what, str(self.ours), self.against, beside, times, self.goal, self.verdict, self.note)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; times in seconds."""
        return asdict(self)
