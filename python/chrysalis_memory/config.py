"""Settings of one store, as plain data.

Only the command line reads the environment and files; the library takes what it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path

from chrysalis_memory._settings import check_settings

__all__ = ["DURABILITY_LEVELS", "Config", "Durability", "default_path"]

Durability = Literal["full", "normal", "off"]

DURABILITY_LEVELS: tuple[Durability, ...] = ("full", "normal", "off")


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one store behaves; every field has a default that is right for most.

    Units stand last in the names: `_s` seconds, `_ms` milliseconds, `_bytes` bytes.

    >>> Config(durability="normal", busy_timeout_s=5).busy_timeout_s
    5
    >>> Config(promotion_threshold=7)
    Traceback (most recent call last):
        ...
    ValueError: promotion_threshold is 7; it must lie between 0 and 1
    """

    durability: Durability = "full"
    """`full`: on disk (fsync) when a call returns, safe against power loss. `normal`: safe against a killed
    process; a power cut may lose the last moments. `off`: for throw-away stores. An agent must be able to rely
    on what it was told is stored, so the safe level is the default."""

    busy_timeout_s: float = 30.0
    """How long a write waits for other processes before `StoreLocked`. Writers hold the lock for milliseconds,
    so only a stuck or stopped process comes near this; shorter would fail under honest load."""

    cache_bytes: int = 16 << 20
    """Page cache of each connection. Holds the upper levels of all indexes of a store of 100,000 memories."""

    mmap_bytes: int = 0
    """How much of the database is read through a memory map; 0: none. A map saves copying, and costs a check of each
    page whenever it is come back to instead of once: the two cancel out, and without a map a damaged or shrinking
    file cannot end the process."""

    payload_bytes_max: int = 65536
    """Most bytes in one operation that this store writes: content, metadata and all else of one call. 64 KiB is a
    long memory; larger things are files. Every replica admits up to `PAYLOAD_BYTES_MAX` of the core, somewhat
    under 1 MiB, so it may be raised to that. Importers split longer texts by themselves."""

    working_ttl_s: float = 24 * 3600.0
    """How long a memory of the working tier lives unless it is promoted or has a `ttl` of its own. A day: an
    agent's scratch notes outlive its working session, and not its week."""

    promotion_threshold: float = 0.7
    """`promote()` keeps working memories of at least this importance (0 to 1) for the long term."""

    promotion_interval_s: float = 60.0
    """How often working memories that reach the threshold are promoted in the background; 0: only by `promote()`.
    Each replica promotes what it created itself: were it any replica, a memory would be promoted once by each. A
    look costs one query, and what is important enough should not fade because nobody looked."""

    access_flush_s: float = 5.0
    """Longest time that access counts wait in memory before they are written in one batch: a read never writes
    at once, and a crash loses at most this much counting."""

    access_flush_count: int = 512
    """Access counts of so many memories are written without waiting for the time above: bounds the buffer."""

    embed_batch: int = 64
    """Memories embedded in one call of the embedder in the background. Larger batches gain little on a CPU and
    delay the first result."""

    recall_embed_max: int = 32
    """Memories still without a vector are embedded by a recall first if they are no more than this, so that an agent
    finds what it just wrote. More are left to the background, and the outcome says how many: bounded time before full
    recall."""

    embedder_url: str | None = None
    """Where the server of an embedder given as `ollama:<model>` or `openai:<model>` listens; None: where it does by
    itself, Ollama on this machine and OpenAI at its own address."""

    embedder_key: str | None = field(default=None, repr=False)
    """The key that such a server wants. It is sent to that server, and stands in no log and no error."""

    embedder_timeout_s: float = 30.0
    """How long such a server may take for one batch. A model that must be loaded first takes many seconds."""

    watch_interval_ms: int = 25
    """How often `watch()` looks for changes of other processes. Looking costs one read of a counter; half of the
    50 ms within which a change is promised to be seen."""

    def __post_init__(self) -> None:
        if self.durability not in DURABILITY_LEVELS:
            raise ValueError(f"durability is {self.durability!r}; it must be one of {', '.join(DURABILITY_LEVELS)}")
        if not 0 <= self.promotion_threshold <= 1:
            raise ValueError(f"promotion_threshold is {self.promotion_threshold}; it must lie between 0 and 1")
        check_settings(self, may_be_zero=_MAY_BE_ZERO)


# Zero turns these off: no memory map, no promotion bar or schedule, no embedding during recall.
_MAY_BE_ZERO = {"mmap_bytes", "promotion_interval_s", "promotion_threshold", "recall_embed_max"}


def default_path() -> Path:
    """The folder of this user's store: where the platform keeps data of programs."""
    return user_data_path("chrysalis-memory", appauthor=False) / "default"
