"""The time by which nodes go."""

from __future__ import annotations

from time import monotonic

__all__ = ["now_ms"]


def now_ms() -> int:
    """Milliseconds of a clock that never runs back."""
    return int(monotonic() * 1000)
