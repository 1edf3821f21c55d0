"""From what was said in a transcript to a window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from chrysalis_memory.context import _checks
from chrysalis_memory.context.limits import ROLE_BYTES_MAX
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.context.turn import Turn
from chrysalis_memory.context.window import ContextWindow
from chrysalis_memory.errors import TooLarge
from chrysalis_memory.importing.record import BadRecord

__all__ = ["Said", "window_of"]


class Said(NamedTuple):
    """One thing that was said; `at` is whatever the file gives as its time."""

    role: str
    words: str
    at: Any = None
    linearity: Linearity | None = None
    name: str | None = None


def window_of(said: Iterable[Said]) -> ContextWindow:
    """The window of all that has words, in order; raises `BadRecord` for what no window takes."""
    with_words = (one for one in said if one.words.strip())
    try:
        return ContextWindow(_turn(one, position) for position, one in enumerate(with_words))
    except (ValueError, TypeError, TooLarge) as error:
        raise BadRecord(str(error)) from None


def _turn(one: Said, position: int) -> Turn:
    role = _checks.short_text("role", one.role, ROLE_BYTES_MAX)
    return Turn(role, one.words, one.linearity, name=one.name, at=_time(one.at), position=position)


def _time(told: Any) -> str | None:
    """The time, if it is one: a turn without a time is still a turn."""
    try:
        return None if told is None else _checks.moment("time", told)
    except (ValueError, TypeError, OverflowError):
        return None
