"""How old a kept answer may be: shown as it is, shown with its age, or not shown.

threshold = base x (1 + stability). Where calls nearly always succeed, a kept answer is rarely needed and likely still
true; where they often fail, much may have changed meanwhile that nobody here has heard of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias

__all__ = ["BASE_THRESHOLD_S", "GHOST_PREFIX", "Clock", "Judgement", "Staleness", "in_words", "judge", "threshold_s"]

BASE_THRESHOLD_S: Final = 3600.0
"""An hour: what was true at the beginning of a piece of work is mostly true at its end."""

GHOST_PREFIX: Final = "[GHOST]"

Clock: TypeAlias = "Callable[[], datetime]"
"""What time it is, in UTC."""

_AHEAD_S: Final = 2.0
"""Two programs of one machine may differ by so much where the clock is being set; more is said."""

_UNITS: Final = (("year", 365 * 86400), ("week", 7 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60))


class Staleness(str, Enum):
    """`FRESH`: shown as it is. `STALE`: shown with `[GHOST]` and its age. `REFUSE`: not shown."""

    FRESH = "fresh"
    STALE = "stale"
    REFUSE = "refuse"

    __str__ = str.__str__


@dataclass(frozen=True, slots=True)
class Judgement:
    """How old something is in seconds, what that means, and, unless it is fresh, why."""

    level: Staleness
    age_s: float
    threshold_s: float
    why: str = ""


def threshold_s(base_s: float, stability: float) -> float:
    """Until which age an answer is fresh, in seconds; `stability` lies between 0 and 1.

    >>> threshold_s(3600, 0.0), threshold_s(3600, 0.5)
    (3600.0, 5400.0)
    """
    return base_s * (1.0 + stability)


def judge(written_at: datetime, now: datetime, threshold_s: float) -> Judgement:
    """The level of what was written then, seen now.

    What comes from the future can't be dated: a clock was wrong then, or is now. It is never fresh, and refused as
    soon as the clocks differ by more than an answer may be old.
    """
    age_s = (now - written_at).total_seconds()
    if age_s < -_AHEAD_S:
        level = Staleness.REFUSE if -age_s >= 2 * threshold_s else Staleness.STALE
        why = f"dated {in_words(-age_s)} in the future: this machine's clock was set back, or was ahead"
        return Judgement(level, age_s, threshold_s, why)
    age_s = max(0.0, age_s)
    if age_s < threshold_s:
        return Judgement(Staleness.FRESH, age_s, threshold_s)
    level = Staleness.STALE if age_s < 2 * threshold_s else Staleness.REFUSE
    return Judgement(level, age_s, threshold_s, _why(level, age_s, threshold_s))


def _why(level: Staleness, age_s: float, threshold_s: float) -> str:
    if level is Staleness.STALE:
        return f"{in_words(age_s)} old; it counts as fresh for {in_words(threshold_s)}"
    return f"{in_words(age_s)} old; after {in_words(2 * threshold_s)} it would rather mislead than help"


def in_words(seconds: float) -> str:
    """A length of time in its two largest units.

    >>> in_words(12), in_words(3600), in_words(5400), in_words(90 * 86400)
    ('12 seconds', '1 hour', '1 hour 30 minutes', '12 weeks 6 days')
    """
    for index, (unit, size) in enumerate(_UNITS):
        if seconds >= size:
            rest, smaller = seconds % size, _UNITS[index + 1 : index + 2]
            more = _counted(int(rest // smaller[0][1]), smaller[0][0]) if smaller else ""
            return f"{_counted(int(seconds // size), unit)} {more}".rstrip()
    return _counted(int(seconds), "second") or "less than a second"


def _counted(number: int, unit: str) -> str:
    return "" if number == 0 else f"{number} {unit}" if number == 1 else f"{number} {unit}s"
