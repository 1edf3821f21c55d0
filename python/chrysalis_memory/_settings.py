"""Checking settings: each field by what its annotation says, with one wording for all."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import fields
from inspect import formatannotation
from typing import Any, Final

__all__ = ["check_settings"]

_KINDS: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "bool": ((bool,), "true or false"),
    "str": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
}


def check_settings(settings: Any, *, may_be_zero: Collection[str] = ()) -> None:
    """Raises `TypeError` or `ValueError` for the first field of a dataclass that is not what its annotation says.

    Looks at `bool`, `str`, `int` and `float`, each with `| None` or without. Text is not empty, and numbers are finite
    and above 0, or 0 as well where `may_be_zero` has their names.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Kiln:
    ...     degrees: int = 1240
    >>> check_settings(Kiln())
    >>> check_settings(Kiln(degrees=-3))
    Traceback (most recent call last):
        ...
    ValueError: degrees is -3; it must be greater than 0
    >>> check_settings(Kiln(degrees="hot"))
    Traceback (most recent call last):
        ...
    TypeError: degrees is 'hot'; it must be a whole number
    """
    for setting in fields(settings):
        said = setting.type if isinstance(setting.type, str) else formatannotation(setting.type)
        kind, _, optional = said.partition(" | ")
        value = getattr(settings, setting.name)
        if kind in _KINDS and not (value is None and optional):
            _check(setting.name, kind, value, may_be_zero)


def _check(name: str, kind: str, value: Any, may_be_zero: Collection[str]) -> None:
    wanted, called = _KINDS[kind]
    fits = isinstance(value, wanted) and (kind == "bool" or not isinstance(value, bool))
    if not fits:
        # What should be text may be a key in another form: it is not shown.
        found = type(value).__name__ if kind == "str" else repr(str(value)[:40])
        raise TypeError(f"{name} is {found}; it must be {called}")
    if value == "":
        raise ValueError(f"{name} is empty; it must be {called}")
    if kind not in {"int", "float"} or (value == 0 and name in may_be_zero):
        return
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}; it must be greater than 0")
