"""Time of a recall against the size of the store, by mode, beside the thinnest programs; both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.plots.svg import Drawing

__all__ = ["draw"]

_WIDTH, _HEIGHT = 760, 450
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 150, 62, 82
_LABEL_APART = 17

# Dots of the modes would hide one another.
_SHIFTS = {"f0": -6, "f2": 6}

_Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Line:
    """A named line of (memories, milliseconds)."""

    name: str
    style: str
    points: _Points


@dataclass(frozen=True)
class _Plane:
    """From sizes and milliseconds to pixels."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def at(self, size: float, ms: float) -> tuple[float, float]:
        x = (math.log10(size) - self.x_low) / (self.x_high - self.x_low)
        y = (math.log10(ms) - self.y_low) / (self.y_high - self.y_low)
        return _LEFT + x * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM)


def draw(run: Mapping[str, Any]) -> str:
    """The picture as SVG."""
    lines = _lines(run)
    drawing = Drawing(_WIDTH, _HEIGHT, "Time of a recall of ten against the size of the store")
    drawing.text(
        16, 24, "Recall of ten, question's vector in hand: median (line) and 99th percentile (dots)", style="title"
    )
    plane = _plane(lines)
    _axes(drawing, plane, [int(size) for size in run["sizes"]])
    for line in lines:
        _draw_line(drawing, plane, line)
    _labels(drawing, plane, lines)
    drawing.text(
        16, _HEIGHT - 12, "Solid: Chrysalis. Dashed: the thinnest program that does that part of it.", style="quiet"
    )
    return str(drawing)


def _lines(run: Mapping[str, Any]) -> list[_Line]:
    sizes = sorted(run["sizes"].items(), key=lambda pair: int(pair[0]))
    made: list[_Line] = []
    for color, mode in enumerate(("text", "vector", "hybrid")):
        rows = [(int(size), _row(told, mode)) for size, told in sizes]
        ours = [(size, row["p50"] * 1e3) for size, row in rows if row]
        slow = [(size, row["p99"] * 1e3) for size, row in rows if row]
        made.append(_Line(mode, f"mark c{color}", ours))
        made.append(_Line("", f"f{color}", slow))
    # A sum of two yardsticks would stand beside its parts and say nothing new.
    for name in dict.fromkeys(name for _, told in sizes for name in told["yardsticks"] if "+" not in name):
        points = [
            (int(size), told["yardsticks"][name]["p50"] * 1e3) for size, told in sizes if name in told["yardsticks"]
        ]
        made.append(_Line(name, "mark c3 dashed thin", points))
    return [line for line in made if line.points]


def _row(told: Mapping[str, Any], mode: str) -> Mapping[str, float] | None:
    return next((row for row in told["recall"] if row["mode"] == mode and row["filter"] == "none"), None)


def _plane(lines: Sequence[_Line]) -> _Plane:
    sizes = [math.log10(size) for line in lines for size, _ in line.points]
    times = [math.log10(ms) for line in lines for _, ms in line.points]
    left, right = min(sizes), max(sizes)
    wide = 0.0 if right > left else 0.5
    return _Plane(left - wide, right + wide, math.floor(min(times) * 2) / 2, math.ceil(max(times) * 2) / 2)


def _axes(drawing: Drawing, plane: _Plane, sizes: Sequence[int]) -> None:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for size in sizes:
        x, _ = plane.at(size, 1)
        drawing.line(x, _TOP - 10, x, bottom, "grid")
        drawing.text(x, bottom + 18, f"{size:,}", style="quiet", anchor="middle")
    for exponent in range(math.ceil(plane.y_low), math.floor(plane.y_high) + 1):
        _, y = plane.at(sizes[0], 10**exponent)
        drawing.line(_LEFT, y, right, y, "grid")
        drawing.text(_LEFT - 8, y + 4, f"{10**exponent:g} ms", style="quiet", anchor="end")
    drawing.text((_LEFT + right) / 2, bottom + 36, "memories in the store", style="quiet", anchor="middle")


def _draw_line(drawing: Drawing, plane: _Plane, line: _Line) -> None:
    points = [plane.at(size, ms) for size, ms in line.points]
    if line.name:
        drawing.path(points, line.style)
    if line.name == "" or len(points) == 1:
        color = line.style if line.name == "" else "f3" if "c3" in line.style else f"f{line.style[-1]}"
        for x, y in points:
            drawing.dot(x + _SHIFTS.get(color, 0), y, color, 3)


def _labels(drawing: Drawing, plane: _Plane, lines: Sequence[_Line]) -> None:
    """Each name at the end of its line, pushed down where another stands already."""
    named = sorted(((plane.at(*line.points[-1])[::-1], line) for line in lines if line.name), key=lambda pair: pair[0])
    free = 0.0
    for (y, x), line in named:
        free = max(y, free + _LABEL_APART)
        drawing.text(x + 10, free + 4, line.name, style="quiet" if "c3" in line.style else f"strong f{line.style[-1]}")
