"""A checkpoint of an agent's work: the compressed window, what it was doing, and where it came from."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from chrysalis_memory.context import _checks
from chrysalis_memory.context.fragment import FocusFragment
from chrysalis_memory.context.window import ContextWindow
from chrysalis_memory.errors import Malformed, TooLarge
from chrysalis_memory.records import Duration, duration_to_ms, from_ms, iso, to_ms

__all__ = ["CRYSTAL_TTL", "StateCrystal", "TaskState", "new_crystal_id"]

CRYSTAL_TTL: Final = timedelta(hours=24)
"""How long a crystal lives unless it is cherished: a day, so that work can be taken up again the next morning."""

BRANCH_DEPTH_MAX: Final = 1_000
"""Branches of branches; deeper ones are a mistake or an attack."""

STEPS_MAX: Final = 1_000
"""Steps of one task state."""

TEXT_BYTES_MAX: Final = 64 << 10
"""One text of a task state."""

VALUES_BYTES_MAX: Final = 1 << 20
"""Working memory, or the details of a task, as JSON text."""

_ID_BYTES_MAX = 256


@dataclass(frozen=True)
class TaskState:
    """What the agent was doing. Raises `ValueError` or `TypeError` for what can't be one, `TooLarge` above bounds.

    >>> state = TaskState("fire the kiln", done=["loaded"], next_steps=["heat to 1240 degrees"])
    >>> state.status, TaskState.from_dict(state.to_dict()) == state
    ('active', True)
    """

    task: str = ""
    """The task in a line or more."""
    status: str = "active"
    """A word: `active`, `blocked`, `done`, or any other."""
    done: tuple[str, ...] = ()
    """Steps that were taken, in order."""
    next_steps: tuple[str, ...] = ()
    """Steps to take, in order."""
    details: dict[str, Any] = field(default_factory=dict)
    """Anything else, as JSON values."""

    def __post_init__(self) -> None:
        _set(self, "task", _checks.text("task", self.task, TEXT_BYTES_MAX))
        _set(self, "status", _checks.short_text("status", self.status))
        _set(self, "done", _steps("done", self.done))
        _set(self, "next_steps", _steps("next_steps", self.next_steps))
        _set(self, "details", json_values("details", self.details))

    def to_dict(self) -> dict[str, Any]:
        """The state as plain data that `json.dumps` takes."""
        told = {name.name: getattr(self, name.name) for name in fields(self)}
        return told | {"done": list(self.done), "next_steps": list(self.next_steps)}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> TaskState:
        """The state that `to_dict` told of; keys that are not known are passed over. Raises `Malformed`."""
        return _checks.built(cls, told, required=(), optional=("task", "status", "done", "next_steps", "details"))


@dataclass(frozen=True)
class StateCrystal:
    """What an agent knew and did at one time, compressed: PRESERVED turns verbatim, the rest in substance.

    It never changes. Raises `ValueError` or `TypeError` for what can't be one, `TooLarge` above its bounds.

    >>> from datetime import datetime, timedelta, timezone
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    >>> crystal = StateCrystal("c1", "ada", noon, summary_tokens=40, focus_tokens=2)
    >>> crystal.total_tokens(), crystal.is_expired(noon), crystal.is_expired(noon + timedelta(days=2))
    (42, False, True)
    """

    crystal_id: str
    agent: str
    timestamp: datetime
    """When it was made, in UTC, to the millisecond."""
    task_state: TaskState = field(default_factory=TaskState)
    working_memory: dict[str, Any] = field(default_factory=dict)
    """What the agent held in hand, as JSON values."""
    history_summary: str = ""
    summary_tokens: int = 0
    focus_fragments: tuple[FocusFragment, ...] = ()
    """What was kept word for word, in the order of the history."""
    focus_tokens: int = 0
    parent_crystal: str | None = None
    """The crystal from which this one went on; it may have faded since."""
    branch_reason: str | None = None
    branch_depth: int = 0
    """Branches between this crystal and the one at which its line began."""
    ttl: timedelta = CRYSTAL_TTL
    """How long after `timestamp` it fades, unless it is pinned."""
    pinned: bool = False
    window: ContextWindow = field(default_factory=ContextWindow)
    """The compressed window, masks included: what resuming gives back."""
    thread: str | None = None
    """The conversation that it is a checkpoint of."""
    warning: str | None = None
    """What went less well than asked for when it was made."""

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            _set(self, name, check(name, getattr(self, name)))
        for name in ("parent_crystal", "branch_reason", "thread", "warning"):
            if getattr(self, name) is not None:
                _set(self, name, _checks.short_text(name, getattr(self, name)))

    def is_expired(self, now: datetime | None = None) -> bool:
        """Whether it has faded by `now`, the present unless given. A pinned one never does."""
        at = datetime.now(timezone.utc) if now is None else from_ms(to_ms(now))
        return not self.pinned and at - self.timestamp > self.ttl

    def total_tokens(self) -> int:
        """Tokens of the summary and of what was kept word for word."""
        return self.summary_tokens + self.focus_tokens

    def to_dict(self) -> dict[str, Any]:
        """The crystal as plain data that `json.dumps` takes."""
        told = {name.name: getattr(self, name.name) for name in fields(self)}
        return told | {
            "timestamp": iso(self.timestamp),
            "task_state": self.task_state.to_dict(),
            "focus_fragments": [fragment.to_dict() for fragment in self.focus_fragments],
            "ttl": self.ttl.total_seconds(),
            "window": self.window.to_dict(),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> StateCrystal:
        """The crystal that `to_dict` told of; keys that are not known are passed over.

        Raises `Malformed` for data of another shape, and `TooLarge` for more than a crystal may hold.

        >>> crystal = StateCrystal("c1", "ada", "2026-03-01T12:00Z", working_memory={"cone": 6})
        >>> StateCrystal.from_dict(crystal.to_dict()) == crystal
        True
        """
        if not isinstance(told, Mapping):
            raise Malformed(f"a crystal is told as an object, not as {type(told).__name__}")
        parts = {name: make(told[name]) for name, make in _PARTS.items() if name in told}
        optional = tuple(name.name for name in fields(cls) if name.name not in _REQUIRED)
        return _checks.built(cls, {**told, **parts}, required=_REQUIRED, optional=optional)


def new_crystal_id() -> str:
    """An id that no other crystal has."""
    return f"crystal-{secrets.token_hex(12)}"


def json_values(name: str, value: Any) -> dict[str, Any]:
    """A copy of a mapping of JSON values: nobody else holds it."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is a mapping from text to JSON values, not {type(value).__name__}")
    try:
        text = json.dumps(dict(value), ensure_ascii=False, allow_nan=False)
        size = len(text.encode("utf-8"))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{name} holds no JSON value: {error}") from None
    if size > VALUES_BYTES_MAX:
        raise TooLarge(f"{name} has {size} bytes as JSON; at most {VALUES_BYTES_MAX} are allowed", size=size)
    copied: dict[str, Any] = json.loads(text)
    return copied


def _set(record: object, name: str, value: Any) -> None:
    object.__setattr__(record, name, value)


def _steps(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} is a list of texts, not {type(value).__name__}")
    if len(value) > STEPS_MAX:
        raise TooLarge(f"{name} has {len(value)} steps; at most {STEPS_MAX} are allowed", size=len(value))
    return tuple(_checks.text(name, step, TEXT_BYTES_MAX) for step in value)


def _id(name: str, value: Any) -> str:
    return _checks.short_text(name, value, _ID_BYTES_MAX)


def _time(name: str, value: Any) -> datetime:
    try:
        return from_ms(to_ms(value))
    except (ValueError, TypeError, OverflowError) as error:
        raise type(error)(f"{name}: {error}") from None


def _length(name: str, value: Duration) -> timedelta:
    try:
        return timedelta(milliseconds=duration_to_ms(value))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name}: {error}") from None


def _depth(name: str, value: Any) -> int:
    depth = _checks.position(name, value)
    if depth > BRANCH_DEPTH_MAX:
        raise ValueError(f"{name} is {depth}; at most {BRANCH_DEPTH_MAX} are allowed")
    return depth


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is true or false, not {type(value).__name__}")
    return value


def _instance(kind: type, name: str, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a {kind.__name__}, not {type(value).__name__}")
    return value


def _fragments(name: str, value: Any) -> tuple[FocusFragment, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} is a list of fragments, not {type(value).__name__}")
    return tuple(_instance(FocusFragment, name, one) for one in value)


def _told_fragments(told: Any) -> tuple[FocusFragment, ...]:
    if not isinstance(told, list | tuple):
        raise Malformed("the fragments of a crystal are told as a list")
    return tuple(FocusFragment.from_dict(one) for one in told)


_REQUIRED = ("crystal_id", "agent", "timestamp")
_PARTS: Final[dict[str, Any]] = {
    "task_state": TaskState.from_dict,
    "focus_fragments": _told_fragments,
    "window": ContextWindow.from_dict,
}
_CHECKS: Final[dict[str, Any]] = {
    "crystal_id": _id,
    "agent": _checks.short_text,
    "timestamp": _time,
    "task_state": lambda name, value: _instance(TaskState, name, value),
    "working_memory": json_values,
    "history_summary": lambda name, value: _checks.content(name, value),
    "summary_tokens": _checks.position,
    "focus_fragments": _fragments,
    "focus_tokens": _checks.position,
    "branch_depth": _depth,
    "ttl": _length,
    "pinned": _flag,
    "window": lambda name, value: _instance(ContextWindow, name, value),
}
