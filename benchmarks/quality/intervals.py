"""How sure the figures are: bootstrap intervals, and paired comparisons on the same questions.

Efron, Bootstrap Methods, 1979: what would the mean be, had other questions of the same kind been asked? Everything is
drawn from a seed, so the same rows always have the same interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Difference", "difference", "interval"]

_DRAWS = 2_000
_PAIRED_DRAWS = 5_000


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the mean lies in 95 of 100 draws."""
    import numpy

    drawn = _means_of_draws(values, _DRAWS)
    return float(numpy.percentile(drawn, 2.5)), float(numpy.percentile(drawn, 97.5))


@dataclass(frozen=True)
class Difference:
    """Ours minus theirs, over the questions that both were asked."""

    mean: float
    low: float
    high: float
    better: float
    """The share of draws in which ours is better."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """Ours minus theirs, question by question."""
    import numpy

    each = [mine - other for mine, other in zip(ours, theirs, strict=True)]
    drawn = _means_of_draws(each, _PAIRED_DRAWS)
    low, high = numpy.percentile(drawn, [2.5, 97.5])
    return Difference(sum(each) / len(each), float(low), float(high), float((drawn > 0).mean()))


def _means_of_draws(values: Sequence[float], draws: int) -> Any:
    import numpy

    given = numpy.array(values)
    chance = numpy.random.default_rng(0)
    return given[chance.integers(0, len(given), (draws, len(given)))].mean(1)
