"""Bounds of windows: transcripts and crystals of others may claim anything, and none may take the machine's memory."""

from __future__ import annotations

from typing import Final

TURNS_MAX: Final = 100_000
"""Turns of one window: months of work without a pause."""

TURN_BYTES_MAX: Final = 4 << 20
"""Content of one turn in UTF-8: the longest line that is read of a transcript."""

WINDOW_CHARACTERS_MAX: Final = 256 << 20
"""Characters of all turns of a window together."""

ROLE_BYTES_MAX: Final = 64
"""A role is a word: user, assistant, system, tool."""

NAME_BYTES_MAX: Final = 1024
"""A name or a focus; the same bound as for speakers and tags in the core."""

POSITION_MAX: Final = (1 << 53) - 1
"""Greatest position: the greatest whole number that every reader of JSON keeps exactly."""

HINTS_MAX: Final = 256
"""Focus hints of one projection."""
