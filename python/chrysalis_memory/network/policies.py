"""Policies: when a replica tells others what was written here.

Operations of one log replicate in their order, so a policy decides *when*, never *what*: an important memory takes
along all that was written before it. What others wrote comes in whenever a link is open.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

__all__ = ["CheckIn", "Lumped", "Policy", "Streaming", "policy_of"]

_DAY_S: Final = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Policy(ABC):
    """When what was written here leaves. Use `Streaming`, `Lumped` or `CheckIn`."""

    @property
    @abstractmethod
    def steady(self) -> bool:
        """Whether links that were dialed stay open; otherwise others are called when it is due, and hung up on once
        both sides hold the same."""

    @property
    def validates(self) -> bool:
        """Whether every signature of what came is checked once more afterwards."""
        return False

    @property
    def holds(self) -> bool:
        """Whether anything may have to wait."""
        return True

    @abstractmethod
    def wants(self, operations: int, importance: float) -> bool:
        """Whether so many operations that wait, the most important memory among them this important, go out now."""

    @abstractmethod
    def next_s(self, last_s: float) -> float:
        """When it is due at the latest, in Unix seconds, after the last time."""


@dataclass(frozen=True, kw_only=True)
class Streaming(Policy):
    """At once: a memory leaves as soon as it is on disk. Others stay linked.

    With `importance_min`, memories below it wait for a more important one, and at most `interval_s` seconds.

    >>> Streaming(importance_min=0.8).wants(3, 0.5), Streaming().wants(1, 0.0)
    (False, True)
    """

    importance_min: float = 0.0
    """Least importance, 0 to 1, of what leaves at once. 0: everything does."""

    interval_s: float = 60.0
    """Longest wait of what is less important. A minute: nobody waits for it, and it must not be forgotten."""

    def __post_init__(self) -> None:
        if not 0 <= self.importance_min <= 1:
            raise ValueError(f"importance_min is {self.importance_min}; it must lie between 0 and 1")
        _check_positive("interval_s", self.interval_s)

    @property
    def steady(self) -> bool:
        return True

    @property
    def holds(self) -> bool:
        return self.importance_min > 0

    def wants(self, operations: int, importance: float) -> bool:
        return operations > 0 and importance >= self.importance_min

    def next_s(self, last_s: float) -> float:
        return last_s + self.interval_s


@dataclass(frozen=True, kw_only=True)
class Lumped(Policy):
    """In lumps: every `interval_s` seconds, or as soon as `batch` operations wait. In between nobody is linked.

    >>> Lumped(batch=100).wants(99, 1.0), Lumped(batch=100).wants(100, 0.0), Lumped(interval_s=60).next_s(1000.0)
    (False, True, 1060.0)
    """

    interval_s: float = 3600.0
    """Seconds between two lumps. An hour."""

    batch: int = 1_000
    """So many operations do not wait for the hour: bounds what a lost machine takes with it."""

    def __post_init__(self) -> None:
        _check_positive("interval_s", self.interval_s)
        _check_positive("batch", self.batch)

    @property
    def steady(self) -> bool:
        return False

    def wants(self, operations: int, importance: float) -> bool:  # noqa: ARG002 - importance hurries no lump
        return operations >= self.batch

    def next_s(self, last_s: float) -> float:
        return last_s + self.interval_s


@dataclass(frozen=True, kw_only=True)
class CheckIn(Policy):
    """By schedule: at these times everything that either side lacks is exchanged, and what came is verified.

    >>> CheckIn(at=("03:00", "15:30")).next_s(4 * 3600.0) / 3600
    15.5
    >>> CheckIn(interval_s=600).next_s(0.0)
    600.0
    """

    interval_s: float = _DAY_S
    """Seconds between two of them, unless `at` is given. A day."""

    at: tuple[str, ...] = ()
    """Times of day in UTC, `HH:MM`."""

    validate: bool = True
    """Whether every signature of what came is checked once more, against the bytes on disk."""

    def __post_init__(self) -> None:
        _check_positive("interval_s", self.interval_s)
        given: object = self.at
        if isinstance(given, str):
            raise TypeError("at is a sequence of times, not one text")
        object.__setattr__(self, "at", tuple(self.at))
        self._times()

    @property
    def steady(self) -> bool:
        return False

    @property
    def validates(self) -> bool:
        return self.validate

    def wants(self, operations: int, importance: float) -> bool:  # noqa: ARG002 - the schedule alone decides
        return False

    def next_s(self, last_s: float) -> float:
        times = self._times()
        if not times:
            return last_s + self.interval_s
        midnight = math.floor(last_s / _DAY_S) * _DAY_S
        return min(day + time for day in (midnight, midnight + _DAY_S) for time in times if day + time > last_s)

    def _times(self) -> list[float]:
        return [_seconds_of_day(time) for time in self.at]


_NAMED: Final[dict[str, type[Policy]]] = {"streaming": Streaming, "lumped": Lumped, "check_in": CheckIn}


def policy_of(policy: Policy | str) -> Policy:
    """The policy itself, or the usual one of that name: `streaming`, `lumped`, `check_in`.

    >>> policy_of("lumped").interval_s
    3600.0
    """
    if isinstance(policy, Policy):
        return policy
    if not isinstance(policy, str):
        raise TypeError(f"policy is a name or a Policy, not {type(policy).__name__}")
    if policy not in _NAMED:
        raise ValueError(f"{policy!r} is no policy: choose {', '.join(_NAMED)}")
    return _NAMED[policy]()


def _check_positive(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}; it must be greater than 0")


def _seconds_of_day(time: str) -> float:
    hours, colon, minutes = time.partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60):
        raise ValueError(f"{time!r} is no time of day: HH:MM, in UTC")
    return int(hours) * 3600.0 + int(minutes) * 60.0
