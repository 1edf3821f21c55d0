"""One turn of a working context: who said what, and what may become of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from chrysalis_memory.context import _checks
from chrysalis_memory.context.limits import ROLE_BYTES_MAX
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.context.marks import focus_marks
from chrysalis_memory.context.tokens import TokenCounter, counted

__all__ = ["TURN_TOKENS", "Turn"]

TURN_TOKENS = 4
"""Tokens that a turn takes beside its words: chat formats frame each with its role and two or three marks."""

_DROPPABLE_ROLES = frozenset({"tool", "function", "tool_call", "tool_output", "thinking"})


@dataclass(frozen=True)
class Turn:
    """What one side said at once. Times are given as `remember` takes them, and kept as ISO 8601 text in UTC.

    Raises `ValueError` or `TypeError` for what can't be a turn, and `TooLarge` above the bounds of windows.

    >>> turn = Turn("user", "[FOCUS:decision] We fire at cone 6.", position=3, at="2026-03-01T12:00:00Z")
    >>> turn.linearity_class, turn.why
    (<Linearity.PRESERVED: 'preserved'>, 'decision')
    >>> Turn.from_dict(turn.to_dict()) == turn
    True
    """

    role: str
    """Who spoke: `user`, `assistant`, `system`, `tool`, or any other word."""
    content: str
    linearity: Linearity | None = None
    """The class that somebody gave it; without one, focus marks and the role decide."""
    focus: str | None = None
    """What it is kept for: given by whoever adds the turn, or found by a projector."""
    name: str | None = None
    """The speaker's own name, if there is more to say than the role."""
    at: str | None = None
    position: int = 0
    """Where it stood in the whole history, counted from 0. Turns that were left out leave a gap."""
    masked: bool = False
    """Whether it only says that something else stood here."""

    def __post_init__(self) -> None:
        self._set("role", _checks.short_text("role", self.role, ROLE_BYTES_MAX))
        self._set("content", _checks.content("content", self.content))
        self._set("position", _checks.position("position", self.position))
        if not isinstance(self.masked, bool):
            raise TypeError(f"masked is true or false, not {type(self.masked).__name__}")
        for field, check in _OPTIONAL.items():
            if getattr(self, field) is not None:
                self._set(field, check(field, getattr(self, field)))

    def _set(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)

    @property
    def linearity_class(self) -> Linearity:
        """What may become of it: a mask is droppable; else as was given; else preserved with a focus; else by role."""
        if self.masked:
            return Linearity.DROPPABLE
        if self.linearity is not None:
            return self.linearity
        if self.why is not None:
            return Linearity.PRESERVED
        return Linearity.DROPPABLE if self.role.lower() in _DROPPABLE_ROLES else Linearity.REQUIRED

    @property
    def why(self) -> str | None:
        """The focus that was given, or the first focus mark in the words."""
        return self.focus or next(iter(focus_marks(self.content)), None)

    def tokens(self, counter: TokenCounter | None = None) -> int:
        """Tokens that it takes in a window: its words and `TURN_TOKENS` around them."""
        return counted(self.content, counter) + TURN_TOKENS

    def to_dict(self) -> dict[str, Any]:
        """The turn as plain data that `json.dumps` takes; what has its default is left out."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self)}
        kept = {name: value for name, value in told.items() if defaults[name] is MISSING or value != defaults[name]}
        return {name: value.value if isinstance(value, Linearity) else value for name, value in kept.items()}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Turn:
        """The turn that `to_dict` told of; keys that are not known are passed over.

        Raises `Malformed` for data of another shape, and `TooLarge` for more than a window may hold.
        """
        return _checks.built(cls, told, required=_REQUIRED_FIELDS, optional=_OPTIONAL_FIELDS)


_OPTIONAL: Final[dict[str, Callable[[str, Any], Any]]] = {
    "linearity": _checks.linearity,
    "focus": _checks.short_text,
    "name": _checks.short_text,
    "at": _checks.moment,
}
_REQUIRED_FIELDS = ("role", "content")
_OPTIONAL_FIELDS = (*_OPTIONAL, "position", "masked")
