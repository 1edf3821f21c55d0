"""Two panels: the share that has it, round by round, and the rounds that it takes by size, beside the formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.plots.svg import Drawing
from chrysalis_memory.simulation import Propagation

__all__ = ["draw"]

_STYLES: Final = {"gossip": "0", "push-pull": "2", "push": "1"}
_LEFT, _TOP, _WIDTH, _HEIGHT, _GAP = 52, 64, 330, 220, 76
_CURVE_OF: Final = 1_000

_Place = Callable[[float], float]


def draw(runs: Sequence[Mapping[str, Propagation]]) -> str:
    """The picture as SVG: of each size, its runs by mode."""
    width, height = 2 * (_LEFT + _WIDTH) + _GAP, _TOP + _HEIGHT + 84
    drawing = Drawing(width, height, "How a memory reaches everyone, round by round, and in how many rounds by size")
    curve = next((sizes for sizes in runs if sizes["gossip"].replicas == _CURVE_OF), runs[-1])
    _curves(drawing, curve, _LEFT)
    _sizes(drawing, runs, 2 * _LEFT + _WIDTH + _GAP - 26)
    _legend(drawing, _TOP + _HEIGHT + 66)
    return str(drawing)


def _curves(drawing: Drawing, runs: Mapping[str, Propagation], left: float) -> None:
    replicas = runs["gossip"].replicas
    rounds = max(len(run.shares) for run in runs.values()) - 1
    drawing.text(left, 30, f"Share of {replicas:,} replicas that have it", style="title")
    across: _Place = lambda number: left + _WIDTH * number / rounds  # noqa: E731
    down: _Place = lambda share: _TOP + _HEIGHT * (1 - share)  # noqa: E731
    for share in (0, 0.25, 0.5, 0.75, 1):
        drawing.line(left, down(share), left + _WIDTH, down(share), "grid")
        drawing.text(left - 8, down(share) + 4, f"{share:.0%}", style="quiet", anchor="end")
    for number in range(rounds + 1):
        drawing.text(across(number), _TOP + _HEIGHT + 20, str(number), style="quiet", anchor="middle")
    drawing.text(left + _WIDTH / 2, _TOP + _HEIGHT + 40, "round", style="quiet", anchor="middle")
    for mode, colour in _STYLES.items():
        points = [(across(number), down(share)) for number, share in enumerate(runs[mode].shares)]
        drawing.path(points, f"mark c{colour}")


def _sizes(drawing: Drawing, runs: Sequence[Mapping[str, Propagation]], left: float) -> None:
    sizes = [one["gossip"].replicas for one in runs]
    low, high = math.log10(sizes[0]), math.log10(sizes[-1])
    most = max(run.max_rounds for one in runs for run in one.values())
    top = 5 * math.ceil(most / 5)
    drawing.text(left, 30, "Rounds until everyone has it, by replicas", style="title")
    across: _Place = lambda size: left + _WIDTH * (math.log10(size) - low) / max(high - low, 1)  # noqa: E731
    down: _Place = lambda rounds: _TOP + _HEIGHT * (1 - rounds / top)  # noqa: E731
    for rounds in range(0, top + 1, 5):
        drawing.line(left, down(rounds), left + _WIDTH, down(rounds), "grid")
        drawing.text(left - 8, down(rounds) + 4, str(rounds), style="quiet", anchor="end")
    for power in range(math.ceil(low), math.floor(high) + 1):
        drawing.text(across(10**power), _TOP + _HEIGHT + 20, f"{10**power:,}", style="quiet", anchor="middle")
    drawing.text(left + _WIDTH / 2, _TOP + _HEIGHT + 40, "replicas", style="quiet", anchor="middle")
    for mode, colour in _STYLES.items():
        drawing.path([(across(one[mode].replicas), down(one[mode].mean_rounds)) for one in runs], f"mark c{colour}")
        for one in runs:
            drawing.dot(across(one[mode].replicas), down(one[mode].mean_rounds), f"f{colour}", 3.5)
    for mode, colour in (("push-pull", "2"), ("push", "1")):
        points = [(across(one[mode].replicas), down(one[mode].formula_rounds)) for one in runs]
        drawing.path(points, f"mark thin dashed c{colour}")


def _legend(drawing: Drawing, y: float) -> None:
    x: float = _LEFT
    names = {"gossip": "gossip, as replicas do it", "push-pull": "push-pull, anyone to anyone"}
    for mode, colour in _STYLES.items():
        name = names.get(mode, "push, anyone to anyone")
        drawing.line(x, y - 4, x + 22, y - 4, f"mark c{colour}")
        drawing.text(x + 28, y, name)
        x += 48 + 7 * len(name)
    drawing.line(x, y - 4, x + 22, y - 4, "mark thin dashed c3")
    drawing.text(x + 28, y, "the formula")
