"""From the arguments of a call to what the core is told: checked, in plain types, with times in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from chrysalis_memory._core import Memory
from chrysalis_memory.records import to_ms

__all__ = ["UNSET", "Said", "Unset", "ids", "said", "texts"]

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


def said(arguments: Mapping[str, Any]) -> Said:
    """The arguments that were given, by the core's names; raises `TypeError` or `ValueError` for misuse."""
    given = {name: value for name, value in arguments.items() if value is not UNSET}
    span = _validity(given.pop("valid_from", UNSET), given.pop("valid_until", UNSET))
    checked = {name: _checked(name, value) for name, value in given.items()}
    return checked | span


def _validity(start: Any, end: Any) -> Said:
    if start is UNSET and end is UNSET:
        return {}
    first, last = (None if time is UNSET or time is None else to_ms(time) for time in (start, end))
    if first is not None and last is not None and first >= last:
        raise ValueError("valid_from must lie before valid_until")
    return {"validity": (first, last)}


def _checked(name: str, value: Any) -> Any:
    if name in _REQUIRED_TEXTS or name in _OPTIONAL_TEXTS:
        return _text(name, value, required=name in _REQUIRED_TEXTS)
    if name in _SCORES:
        return _score(name, value)
    if name in _TAGS:
        return texts(name, value)
    if name in _LINKS:
        return ids(name, value)
    if name == "metadata":
        return _metadata(value)
    if name in _TIMES:
        return None if value is None else to_ms(value)
    return value


def _text(name: str, value: Any, *, required: bool) -> str | None:
    if value is None and not required:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} is text, not {type(value).__name__}")
    if name in {"content", "memory_type"} and not value.strip():
        raise ValueError(f"{name} is empty")
    if name == "tier" and value not in _TIERS:
        raise ValueError(f"tier is {value!r}; it must be one of {', '.join(_TIERS)}")
    # A member of a text enum is text; the core wants the text itself.
    return str(value)


def _score(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number, not {type(value).__name__}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; it must lie between 0 and 1")
    return float(value)


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
    return {_key(key): _json(key, inner) for key, inner in value.items()}


def _key(key: Any) -> str:
    if not isinstance(key, str) or not key:
        raise TypeError(f"a key of metadata is non-empty text, not {key!r}")
    return str(key)


def _json(key: str, value: Any) -> str | None:
    if value is None:
        return None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"metadata[{key!r}] is no JSON value: {error}") from None
