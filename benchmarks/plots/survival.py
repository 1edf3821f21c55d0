"""A panel for each collection: how much of the evidence is left, by the share of tokens that is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.plots.svg import Drawing
from benchmarks.survival.measure import Survival

__all__ = ["draw"]

_LEFT, _TOP, _WIDTH, _HEIGHT, _GAP = 52, 64, 330, 230, 76
_STYLES: Final = ("c0", "c1", "c2", "c3", "c3 dashed")
_MEASURE: Final = "answer"
_LABELLED_FROM: Final = 0.1
"""Below, numbers would stand on each other."""


def draw(run: Mapping[str, Mapping[str, Mapping[float, Survival]]]) -> str:
    """The picture as SVG: of each collection, its ways by budget."""
    panels = len(run)
    width = _LEFT + panels * _WIDTH + (panels - 1) * _GAP + 26
    ways = list(next(iter(run.values())))
    lines = 1 + (len(ways) - 1) // (2 * panels)
    drawing = Drawing(width, _TOP + _HEIGHT + 62 + 22 * lines, "Share of the evidence that survives compression")
    for number, (name, found) in enumerate(run.items()):
        _panel(drawing, _LEFT + number * (_WIDTH + _GAP), name, found)
    for number, way in enumerate(ways):
        row, column = divmod(number, 2 * panels)
        x, y = _LEFT + column * 190, _TOP + _HEIGHT + 66 + 22 * row
        drawing.line(x, y - 4, x + 22, y - 4, f"mark {_STYLES[number]}")
        drawing.text(x + 28, y, way)
    return str(drawing)


def _panel(drawing: Drawing, left: float, name: str, found: Mapping[str, Mapping[float, Survival]]) -> None:
    drawing.text(left, 26, name, style="title")
    drawing.text(left, 46, "words of the answer that are left in the evidence", style="quiet")
    for share in (0, 0.25, 0.5, 0.75, 1):
        down = _TOP + _HEIGHT * (1 - share)
        drawing.line(left, down, left + _WIDTH, down, "grid")
        drawing.text(left - 8, down + 4, f"{share:.0%}", style="quiet", anchor="end")
    for budget in [budget for budget in next(iter(found.values())) if budget >= _LABELLED_FROM]:
        drawing.text(left + _WIDTH * budget, _TOP + _HEIGHT + 18, f"{budget:.0%}", style="quiet", anchor="middle")
    drawing.text(left + _WIDTH / 2, _TOP + _HEIGHT + 38, "of the tokens", style="quiet", anchor="middle")
    # The projector is drawn last, over the others.
    for style, (_, by_budget) in reversed(list(zip(_STYLES, found.items(), strict=False))):
        points = [
            (left + _WIDTH * budget, _TOP + _HEIGHT * (1 - survival.mean(_MEASURE)))
            for budget, survival in by_budget.items()
        ]
        drawing.path(points, f"mark {style}")
