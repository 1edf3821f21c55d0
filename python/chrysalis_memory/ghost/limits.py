"""Every bound of the ghost, with unit and reason. The folder is a cache for one user: small, and read at once."""

from __future__ import annotations

from typing import Final

__all__ = [
    "AGENTS_BYTES_MAX",
    "AGENTS_MAX",
    "CALLS_REMEMBERED",
    "ENTRY_BYTES_MAX",
    "FOLDER_NAMES_MAX",
    "LOCK_WAIT_S",
    "NAME_CHARACTERS_MAX",
    "PROBLEMS_REMEMBERED",
    "PROPOSALS_MAX",
    "SET_ASIDE_MAX",
    "STRENGTH_MAX",
    "TEXT_CHARACTERS_MAX",
    "TRACES_MAX",
    "TYPES_MAX",
]

ENTRY_BYTES_MAX: Final = 4 << 20
"""Most bytes in one file. A window of 200,000 tokens is about 1 MiB as JSON; more is not a last known answer."""

AGENTS_MAX: Final = 256
"""Snapshots of so many agents are kept; the one that was written longest ago makes room."""

AGENTS_BYTES_MAX: Final = 64 << 20
"""Most bytes in all snapshots together."""

FOLDER_NAMES_MAX: Final = 4096
"""So many names of a folder are looked at: far more than are ever written, and an end where somebody filled it."""

NAME_CHARACTERS_MAX: Final = 256
"""Longest name of an agent or a type of pheromone. It stands inside the file; the file's own name is short."""

SET_ASIDE_MAX: Final = 16
"""Most files set aside in one folder. They are never deleted, so their number must end; then nothing is written in
the place of the next one until somebody has looked."""

CALLS_REMEMBERED: Final = 100
"""The stability is measured over so many last calls: enough for a share in per cent, and few enough that an outage
shows within the hour in which it happens."""

PROBLEMS_REMEMBERED: Final = 64
"""What was found wrong, the latest so many times, by this object."""

LOCK_WAIT_S: Final = 10.0
"""Longest wait for another process. The lock is held for some file writes, so this is met by stuck processes only."""

TRACES_MAX: Final = 256
"""Pheromones of one type; the weakest makes room."""

TYPES_MAX: Final = 64
"""Types of pheromones that are in the air at once; the weakest makes room."""

STRENGTH_MAX: Final = 100.0
"""Strongest pheromone. Without an end, one that is laid down over and over would never fade."""

TEXT_CHARACTERS_MAX: Final = 1000
"""Longest message of a pheromone, text of a proposal, or reason: so that as many as are kept always fit one file."""

PROPOSALS_MAX: Final = 128
"""Proposals that wait, after which the next is refused; and rejected ones kept, of which the oldest make room."""
