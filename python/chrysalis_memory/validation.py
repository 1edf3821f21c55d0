"""Votes on memories: what they add up to, so that up to a third of the voters may lie.

The functions take numbers from 0 to 1 and need no store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from statistics import median as middle
from typing import Any

from chrysalis_memory.records import Record, plain

__all__ = ["Validation", "ValidationVote", "mean", "median", "threshold", "trimmed_mean"]

AGREES = 0.5  # a vote of at least this stands behind the memory


def mean(values: Iterable[float]) -> float | None:
    """The mean; None of nothing. One liar moves it as far as he likes: it is for display.

    >>> mean([1.0, 0.5, 0.0])
    0.5
    """
    found = list(values)
    return round(fmean(found), 4) if found else None


def median(values: Iterable[float]) -> float | None:
    """The value in the middle, or between the two there; None of nothing.

    >>> median([0.9, 0.0, 0.8])
    0.8
    """
    found = list(values)
    return round(middle(found), 4) if found else None


def trimmed_mean(values: Iterable[float], members: int | None = None) -> float | None:
    """The mean without the floor((n - 1) / 3) least and greatest, where n is `members`, or the number of values if that
    is more; None if nothing is left. Of 3f + 1 members f may lie, and the result stays among what the others said.

    >>> trimmed_mean([0.8, 0.9, 0.85, 0.0])
    0.825
    >>> trimmed_mean([0.9], members=4) is None
    True
    """
    found = sorted(values)
    cut = (max(members or 0, len(found), 1) - 1) // 3
    kept = found[cut : len(found) - cut]
    return round(fmean(kept), 4) if kept else None


def threshold(validators: int) -> int:
    """How many of so many validators must agree: more than two thirds.

    >>> [threshold(n) for n in (1, 3, 4, 10)]
    [1, 3, 3, 7]
    """
    return 2 * validators // 3 + 1


@dataclass(frozen=True, slots=True)
class ValidationVote(Record):
    """The latest vote of one validator on one memory. `voter` is its key, `confidence` lies between 0 and 1; `current`
    says whether it was given on what the memory says now."""

    voter: str
    confidence: float
    current: bool = True
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Validation(Record):
    """The votes on a memory, and what they add up to. Only current votes count; the others are shown.

    >>> votes = tuple(ValidationVote(name, 0.9) for name in ("ada", "ben", "cleo"))
    >>> found = Validation("m-1", votes, ("ada", "ben", "cleo", "dora"), threshold(4))
    >>> found.accepted, found.missing
    (True, ('dora',))
    """

    id: str
    votes: tuple[ValidationVote, ...]
    validators: tuple[str, ...]
    threshold: int

    @property
    def _said(self) -> list[float]:
        return [vote.confidence for vote in self.votes if vote.current]

    @property
    def mean(self) -> float | None:
        """See `mean`; None without votes."""
        return mean(self._said)

    @property
    def median(self) -> float | None:
        """See `median`; None without votes."""
        return median(self._said)

    @property
    def trimmed_mean(self) -> float | None:
        """See `trimmed_mean`, over all validators; None with too few votes."""
        return trimmed_mean(self._said, len(self.validators))

    @property
    def accepted(self) -> bool:
        """Whether at least `threshold` validators voted 0.5 or more on what the memory says now."""
        return sum(confidence >= AGREES for confidence in self._said) >= self.threshold

    @property
    def missing(self) -> tuple[str, ...]:
        """Validators without a current vote."""
        voted = {vote.voter for vote in self.votes if vote.current}
        return tuple(key for key in self.validators if key not in voted)

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data, with what it adds up to."""
        derived = ("mean", "median", "trimmed_mean", "accepted", "missing")
        return Record.to_dict(self) | {name: plain(getattr(self, name)) for name in derived}
