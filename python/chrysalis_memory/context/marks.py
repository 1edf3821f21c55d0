"""Marks by which a speaker says what must survive: `[FOCUS:decision]`, written anywhere in a turn."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["focus_marks"]

_MARK: Final = re.compile(r"\[FOCUS:([^\[\]\r\n]{1,64})\]", re.IGNORECASE)


def focus_marks(content: str) -> tuple[str, ...]:
    """The names of the focus marks in a text, each once, in order, in small letters.

    >>> focus_marks("[FOCUS:decision] Cone 6, because cone 10 warps. [focus:Error]")
    ('decision', 'error')
    """
    names = (name.strip().lower() for name in _MARK.findall(content))
    return tuple(dict.fromkeys(name for name in names if name))
