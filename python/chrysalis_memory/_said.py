"""From the arguments of a call to what the core is told: checked, in plain types, with times in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chrysalis_memory._core import Memory
from chrysalis_memory._metadata import as_text
from chrysalis_memory.records import duration_to_ms, to_ms

__all__ = ["UNSET", "Said", "Unset", "ids", "known_id", "length", "moment", "said", "score", "text", "texts", "whole"]

Said = dict[str, Any]


class Unset:
    """The type of `UNSET`."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
"""Stands for an argument that was not given, where `None` means "take it away"."""

_TIMES = {"occurred_at"}
_REQUIRED_TEXTS = {"content", "tier", "memory_type", "scope"}
_OPTIONAL_TEXTS = {"thread", "speaker"}
_SCORES = {"importance", "confidence"}
_TAGS = {"add_tags", "remove_tags"}
_LINKS = {"parents", "related", "evidence"}
_TIERS = ("working", "long_term")
_WHOLE_MAX = 1 << 40


def said(arguments: Mapping[str, Any]) -> Said:
    """The arguments that were given, by the core's names; raises `TypeError` or `ValueError` for misuse."""
    given = {name: value for name, value in arguments.items() if value is not UNSET}
    span = _validity(given.pop("valid_from", UNSET), given.pop("valid_until", UNSET))
    checked = {name: _checked(name, value) for name, value in given.items()}
    return checked | span


def _validity(start: Any, end: Any) -> Said:
    if start is UNSET and end is UNSET:
        return {}
    first = None if start is UNSET else moment("valid_from", start)
    last = None if end is UNSET else moment("valid_until", end)
    if first is not None and last is not None and first >= last:
        raise ValueError("valid_from must lie before valid_until")
    return {"validity": (first, last)}


def _checked(name: str, value: Any) -> Any:
    if name in _REQUIRED_TEXTS or name in _OPTIONAL_TEXTS:
        return _register(name, value, required=name in _REQUIRED_TEXTS)
    if name in _SCORES:
        return score(name, value)
    if name in _TAGS:
        return texts(name, value)
    if name in _LINKS:
        return ids(name, value)
    if name == "metadata":
        return _metadata(value)
    if name in _TIMES:
        return moment(name, value)
    return value


def _register(name: str, value: Any, *, required: bool) -> str | None:
    if value is None and not required:
        return None
    said = text(name, value)
    if name in {"content", "memory_type"} and not said.strip():
        raise ValueError(f"{name} is empty")
    if name == "tier" and said not in _TIERS:
        raise ValueError(f"tier is {said!r}; it must be one of {', '.join(_TIERS)}")
    return said


def text(name: str, value: Any) -> str:
    """Text as the core takes it: a member of a text enum becomes the text itself."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is text, not {type(value).__name__}")
    return str(value)


def known_id(value: Any) -> str:
    """The id of a memory; any text may be asked for, and what can't be an id is not found."""
    return text("id", value)


def moment(name: str, value: Any) -> int | None:
    """A time in ms since the Unix epoch; None stays None."""
    try:
        return None if value is None else to_ms(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def length(name: str, value: Any) -> int:
    """A duration in ms."""
    try:
        return duration_to_ms(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def score(name: str, value: Any) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number, not {type(value).__name__}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {str(value)[:20]}; it must lie between 0 and 1")
    return float(value)


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least `least`; more than any store can hold is all there is."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} is {value}; it must be a whole number from {least} on")
    return min(value, _WHOLE_MAX)


def texts(name: str, value: Any) -> list[str]:
    """A collection of non-empty texts; one text alone is most likely a slip, and is refused."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is a collection of texts, not {type(value).__name__}")
    found = [str(text) if isinstance(text, str) else text for text in value]
    for text in found:
        if not isinstance(text, str):
            raise TypeError(f"{name} holds texts, not {type(text).__name__}")
        if not text:
            raise ValueError(f"{name} holds an empty text")
    return found


def ids(name: str, value: Any) -> list[str]:
    """Ids, given as ids or as memories."""
    if isinstance(value, Memory):
        return [value.id]
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = [item.id if isinstance(item, Memory) else item for item in value]
    return texts(name, value)


def _metadata(value: Any) -> dict[str, str | None]:
    if not isinstance(value, Mapping):
        raise TypeError(f"metadata is a mapping from text to JSON values, not {type(value).__name__}")
    return {_key(key): None if inner is None else as_text(key, inner) for key, inner in value.items()}


def _key(key: Any) -> str:
    if not isinstance(key, str) or not key:
        raise TypeError(f"a key of metadata is non-empty text, not {key!r}")
    return str(key)
