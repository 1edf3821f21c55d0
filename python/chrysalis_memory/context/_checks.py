"""Checks of what windows are made of. They raise `ValueError` and `TypeError`; of foreign data, `Malformed`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from chrysalis_memory.context.limits import NAME_BYTES_MAX, POSITION_MAX, TURN_BYTES_MAX
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.errors import Malformed, TooLarge
from chrysalis_memory.records import from_ms, iso, to_ms

T = TypeVar("T")


def text(name: str, value: Any, bytes_max: int) -> str:
    """The value, if it is text that UTF-8 can hold, and no longer than that."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is text, not {type(value).__name__}")
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds half of a character (a lone surrogate)") from None
    if size > bytes_max:
        raise TooLarge(f"{name} has {size} bytes; at most {bytes_max} are allowed", size=size, limit=bytes_max)
    return str(value)


def content(name: str, value: Any) -> str:
    """The words of a turn; they may be empty."""
    return text(name, value, TURN_BYTES_MAX)


def short_text(name: str, value: Any, bytes_max: int = NAME_BYTES_MAX) -> str:
    """Text with something in it: a role, a name, a hint."""
    said = text(name, value, bytes_max)
    if not said.strip():
        raise ValueError(f"{name} is empty")
    return said


def position(name: str, value: Any) -> int:
    """A place in a history, counted from 0."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number, not {type(value).__name__}")
    if not 0 <= value <= POSITION_MAX:
        raise ValueError(f"{name} is {str(value)[:20]}; it must lie between 0 and {POSITION_MAX}")
    return value


def linearity(name: str, value: Any) -> Linearity:
    """A class of linearity, or its name."""
    try:
        return Linearity(value)
    except ValueError:
        names = ", ".join(Linearity)
        raise ValueError(f"{name} is {str(value)[:40]!r}; it must be one of {names}") from None


def moment(name: str, value: Any) -> str:
    """A time as ISO 8601 text in UTC, to the millisecond."""
    try:
        return iso(from_ms(to_ms(value)))
    except (ValueError, TypeError, OverflowError) as error:
        raise type(error)(f"{name}: {error}") from None


def built(make: Callable[..., T], told: Any, *, required: tuple[str, ...], optional: tuple[str, ...]) -> T:
    """What `make` makes of plain data: of the named keys, the others are passed over."""
    if not isinstance(told, Mapping):
        raise Malformed(f"{make.__name__} is told as an object, not as {type(told).__name__}")
    if missing := [name for name in required if name not in told]:
        raise Malformed(f"{make.__name__} lacks {', '.join(missing)}")
    given = {name: told[name] for name in (*required, *optional) if name in told}
    try:
        return make(**given)
    except (ValueError, TypeError) as error:
        raise Malformed(f"{make.__name__}: {error}") from None
