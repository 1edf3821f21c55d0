"""Giving memory back that nobody needs any more.

When a thousand agents arrive, each is told of all that came before it. What that took is free afterwards, in pieces
between others that are not, and the allocator keeps it: most of what such a hub would hold. Linux takes back whole
pages from between, if asked.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from functools import cache

__all__ = ["give_back", "keep_what_is_here"]


def give_back() -> bool:
    """Gives free memory back to the system; whether this allocator can. Takes a few milliseconds at most.

    >>> give_back() in {True, False}
    True
    """
    trim = _trim()
    if trim is None:
        return False
    trim(0)
    return True


@cache
def _trim() -> Callable[[int], int] | None:
    # Of the allocators, that of the GNU library has it.
    try:
        trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):
        return None
    return trim


def keep_what_is_here() -> None:
    """Has the collector of garbage look no more at what exists by now, modules above all: the process ends with it.
    Otherwise it looks at all of that again for each few agents that arrive."""
    gc.collect()
    gc.freeze()
