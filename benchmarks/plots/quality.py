"""Recall of ten by system, a panel for each collection: the figure as a dot, its interval as a bar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.plots.svg import Drawing
from benchmarks.quality.kinds import OURS

__all__ = ["draw"]

_FIGURE = "R@10"
_LABELS, _PANEL, _GAP, _RIGHT = 176, 180, 44, 26
_HEAD, _TITLE, _ROW, _AXIS, _FOOT = 40, 26, 27, 34, 26
_PANELS_ABREAST = 4


@dataclass(frozen=True)
class _Scale:
    """From a figure to pixels from a panel's left side."""

    low: float
    high: float

    def at(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low) * _PANEL

    def ticks(self) -> list[float]:
        return [tick / 10 for tick in range(round(self.low * 10), round(self.high * 10) + 1, 2)]


@dataclass(frozen=True)
class _Panel:
    """Where a collection is drawn."""

    left: float
    top: float
    scale: _Scale

    def at(self, value: float) -> float:
        return self.left + self.scale.at(value)


def draw(run: Mapping[str, Any]) -> str:
    """The picture as SVG."""
    collections, systems = list(run["collections"].items()), run["systems"]
    abreast, block = min(len(collections), _PANELS_ABREAST), _TITLE + len(systems) * _ROW + _AXIS
    width = _LABELS + abreast * (_PANEL + _GAP) - _GAP + _RIGHT
    height = _HEAD + math.ceil(len(collections) / abreast) * block + _FOOT
    drawing = Drawing(width, height, f"{_FIGURE} of each system on each collection, with intervals")
    drawing.text(16, 24, "Share of the relevant memories among the first ten", style="title")
    scale = _scale(run)
    for number, (name, told) in enumerate(collections):
        line, column = divmod(number, abreast)
        top = _HEAD + line * block + _TITLE
        if column == 0:
            _names(drawing, top, systems)
        _panel(drawing, _Panel(_LABELS + column * (_PANEL + _GAP), top, scale), name, told, list(systems))
    drawing.text(16, height - 12, "Bars: where 95 of 100 bootstrap draws of the questions lie.", style="quiet")
    return str(drawing)


def _names(drawing: Drawing, top: float, systems: Mapping[str, Any]) -> None:
    for row, (name, told) in enumerate(systems.items()):
        style = "strong f0" if name == OURS else ""
        drawing.text(_LABELS - 14, _middle(row, top) + 4, told["title"], style=style, anchor="end")


def _middle(row: int, top: float) -> float:
    return top + row * _ROW + _ROW / 2


def _scale(run: Mapping[str, Any]) -> _Scale:
    bounds = [
        bound
        for told in run["collections"].values()
        for found in told["systems"].values()
        for bound in found["intervals"].get(_FIGURE, ())
    ]
    low = math.floor(min(bounds, default=0.0) * 5) / 5
    return _Scale(low, max(math.ceil(max(bounds, default=1.0) * 5) / 5, low + 0.2))


def _panel(drawing: Drawing, panel: _Panel, name: str, told: Mapping[str, Any], systems: list[str]) -> None:
    bottom = panel.top + len(systems) * _ROW
    drawing.text(panel.left, panel.top - 8, name, style="strong")
    for tick in panel.scale.ticks():
        x = panel.at(tick)
        drawing.line(x, panel.top, x, bottom, "grid")
        drawing.text(x, bottom + 15, f"{tick:.1f}", style="quiet", anchor="middle")
    if OURS in told["systems"]:
        x = panel.at(told["systems"][OURS]["overall"][_FIGURE])
        drawing.line(x, panel.top, x, bottom, "mark c0 dashed faint")
    for row, system in enumerate(systems):
        y, found = _middle(row, panel.top), told["systems"].get(system)
        if found is None or not found["intervals"]:
            drawing.text(panel.left + 6, y + 4, "not measured", style="quiet")
        else:
            _mark(drawing, panel, y, found, "0" if system == OURS else "3")


def _mark(drawing: Drawing, panel: _Panel, y: float, found: Mapping[str, Any], color: str) -> None:
    low, high = found["intervals"][_FIGURE]
    drawing.line(panel.at(low), y, panel.at(high), y, f"mark c{color}")
    drawing.dot(panel.at(found["overall"][_FIGURE]), y, f"f{color}")
