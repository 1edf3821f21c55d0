"""Figures in the text format of Prometheus (version 0.0.4): counters, gauges and histograms with few labels."""

from __future__ import annotations

import math
import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

__all__ = ["Counter", "Gauges", "Histogram", "Metrics"]

LATENCIES_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper ends of the classes of a histogram, in seconds."""

SERIES_MAX: Final = 2_000
"""Series of one figure. Labels come from our own tables; this is the bound should that ever be wrong."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
Labels = tuple[tuple[str, str], ...]


class _Figure:
    kind = "untyped"

    def __init__(self, name: str, told: str) -> None:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name of a figure")
        self.name = name
        self.told = told
        self._lock = threading.Lock()

    def lines(self) -> Iterable[str]:
        """The series, without the head."""
        raise NotImplementedError

    def text(self) -> str:
        """Head and series."""
        head = (f"# HELP {self.name} {self.told}", f"# TYPE {self.name} {self.kind}")
        return "\n".join((*head, *self.lines())) + "\n"


class Counter(_Figure):
    """Grows, and begins at 0 with the process.

    >>> refused = Counter("chrysalis_refusals_total", "Refused operations.")
    >>> refused.add(2, code="malformed")
    >>> print(refused.text(), end="")
    # HELP chrysalis_refusals_total Refused operations.
    # TYPE chrysalis_refusals_total counter
    chrysalis_refusals_total{code="malformed"} 2
    """

    kind = "counter"

    def __init__(self, name: str, told: str) -> None:
        super().__init__(name, told)
        self._counts: dict[Labels, float] = {}

    def add(self, by: float = 1, **labels: str) -> None:
        """Adds to the series with these labels."""
        key = _key(labels)
        with self._lock:
            if key in self._counts or len(self._counts) < SERIES_MAX:
                self._counts[key] = self._counts.get(key, 0) + by

    def get(self, **labels: str) -> float:
        """What the series counts now."""
        return self._counts.get(_key(labels), 0)

    def lines(self) -> Iterable[str]:
        with self._lock:
            counts = sorted(self._counts.items())
        return [_line(self.name, labels, value) for labels, value in counts]


class Histogram(_Figure):
    """How long things took, in classes."""

    kind = "histogram"

    def __init__(self, name: str, told: str) -> None:
        super().__init__(name, told)
        self._classes: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, seconds: float, **labels: str) -> None:
        """Counts one thing that took so long."""
        key = _key(labels)
        with self._lock:
            if key not in self._classes and len(self._classes) >= SERIES_MAX:
                return
            counts = self._classes.setdefault(key, [0] * (len(LATENCIES_S) + 1))
            counts[bisect_left(LATENCIES_S, seconds)] += 1
            self._sums[key] = self._sums.get(key, 0.0) + seconds

    def lines(self) -> Iterable[str]:
        with self._lock:
            taken = [(labels, list(counts), self._sums[labels]) for labels, counts in sorted(self._classes.items())]
        found: list[str] = []
        for labels, counts, total in taken:
            reached = 0
            for end, count in zip((*LATENCIES_S, math.inf), counts, strict=True):
                reached += count
                found.append(_line(f"{self.name}_bucket", (*labels, ("le", _number(end))), reached))
            found.append(_line(f"{self.name}_sum", labels, total))
            found.append(_line(f"{self.name}_count", labels, reached))
        return found


class Gauges(_Figure):
    """Something that is asked for when the figures are: a number, or one for each set of labels."""

    def __init__(
        self, name: str, told: str, ask: Callable[[], Mapping[Labels, float] | float], *, kind: str = "gauge"
    ) -> None:
        super().__init__(name, told)
        self.kind = kind
        self._ask = ask

    def lines(self) -> Iterable[str]:
        answer = self._ask()
        values = dict(answer) if isinstance(answer, Mapping) else {(): answer}
        return [_line(self.name, labels, value) for labels, value in sorted(values.items())[:SERIES_MAX]]


AnyFigure = TypeVar("AnyFigure", bound=_Figure)


class Metrics:
    """All figures of one hub."""

    def __init__(self) -> None:
        self._figures: dict[str, _Figure] = {}

    def counter(self, name: str, told: str) -> Counter:
        """A new counter."""
        return self._add(Counter(name, told))

    def histogram(self, name: str, told: str) -> Histogram:
        """A new histogram of seconds."""
        return self._add(Histogram(name, told))

    def gauges(
        self, name: str, told: str, ask: Callable[[], Mapping[Labels, float] | float], *, kind: str = "gauge"
    ) -> Gauges:
        """What `ask` answers at each reading."""
        return self._add(Gauges(name, told, ask, kind=kind))

    def _add(self, figure: AnyFigure) -> AnyFigure:
        if figure.name in self._figures:
            raise ValueError(f"{figure.name} is there already")
        self._figures[figure.name] = figure
        return figure

    def text(self) -> str:
        """All of them, sorted by name."""
        return "".join(self._figures[name].text() for name in sorted(self._figures))


def _key(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _line(name: str, labels: Labels, value: float) -> str:
    named = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{named}}} {_number(value)}" if named else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
