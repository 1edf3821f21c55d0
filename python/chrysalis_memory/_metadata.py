"""Values of metadata as JSON text, there and back.

What stands in a store need not come from here: any member may sign any text as a value. So reading never fails. What is
no value that everybody can use, and pass on as JSON, reads as the text that it is: otherwise one memory would keep all
that are listed with it from being read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["DEPTH_MAX", "as_text", "deeper_than", "of_text"]

DEPTH_MAX: Final = 64
"""Lists and objects within one another. People nest two or three; whoever passes on deeper ones runs out of stack."""


def as_text(key: str, value: Any) -> str:
    """The value under a key of metadata as JSON text. Raises `ValueError` for what is none, or nested too deeply.

    >>> as_text("pages", {"to": 4, "from": 3})
    '{"from":3,"to":4}'
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"metadata[{key!r}] is no JSON value: {error}") from None
    if deeper_than(value, DEPTH_MAX):
        raise ValueError(f"metadata[{key!r}] is nested deeper than {DEPTH_MAX} levels")
    return text


def of_text(text: str) -> Any:
    """The value that a JSON text says; the text itself where it says none that can be used.

    >>> of_text('{"from":3}'), of_text("{from 3"), of_text("1e999")
    ({'from': 3}, '{from 3', '1e999')
    """
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:
            # Half of a pair of surrogates can be escaped, and is no text.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    may_be_deep = text.count("[") + text.count("{") > DEPTH_MAX
    return text if may_be_deep and deeper_than(value, DEPTH_MAX) else value


def deeper_than(value: Any, levels: int) -> bool:
    """Whether more lists and objects than so many stand within one another.

    >>> deeper_than([[1]], 2), deeper_than([[1]], 1)
    (False, True)
    """
    if not isinstance(value, Mapping | list | tuple):
        return False
    inner = value.values() if isinstance(value, Mapping) else value
    return levels == 0 or any(deeper_than(item, levels - 1) for item in inner)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("beyond all numbers")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
