"""What the tests of crystals share: stores, a crystal with a bit of everything, and what liars write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import monotonic
from typing import Any

from chrysalis_memory import ChrysalisMemory, Config
from chrysalis_memory.context import ContextWindow, FocusFragment, StateCrystal, TaskState
from memory_cases import WITHIN_S

# A disk that takes its time must not use up the lives of crystals.
QUIET = Config(promotion_interval_s=0, access_flush_s=3600, durability="off")
SOON = Config(promotion_interval_s=0, access_flush_s=0.02, durability="off")


def store(path: Path, config: Config = QUIET, **more: Any) -> ChrysalisMemory:
    """A store without an embedder, whose background does nothing by itself unless told so."""
    return ChrysalisMemory(path, agent_id="ada", embedder="none", config=config, **more)


@contextmanager
def two_stores(path: Path) -> Iterator[tuple[ChrysalisMemory, ChrysalisMemory]]:
    with store(path / "a") as one, store(path / "b") as other:
        yield one, other


def now() -> datetime:
    return datetime.now(timezone.utc)


def window() -> ContextWindow:
    """Turns with gaps, masks, names, times, and letters that must survive."""
    grown = ContextWindow().add("system", "You fire kilns.").add("user", "Which cone?", name="Inès", at=1_700_000_000)
    grown = grown.add("tool", "left out", linearity="droppable")
    grown = grown.add(
        "assistant", '[FOCUS:decision] Cone 6 \u2028 \u0000 \U0001f3fa "quoted"\n\tindented', focus="decision"
    )
    turns = [turn for turn in grown.turns if turn.position != 2]
    return ContextWindow(turns).add("user", "go on, quagga").moved(2)


def crystal(id: str = "c1", **more: Any) -> StateCrystal:
    seen = more.pop("window", None) or window()
    kept = [turn for turn in seen.turns if turn.focus == "decision"]
    told: dict[str, Any] = {
        "task_state": TaskState("fire the kiln", "active", ["loaded zyzzyva"], ["heat to 1240"], {"cone": 6}),
        "working_memory": {"open": ["door", None, 1.5], "nested": {"a": [True]}},
        "history_summary": "The user asked which cone to fire at.",
        "summary_tokens": 9,
        "focus_fragments": [FocusFragment("decision", turn.content, turn.position) for turn in kept],
        "focus_tokens": 12,
        "window": seen,
        "thread": "kiln talk",
        "timestamp": now() - timedelta(seconds=1),
    }
    return StateCrystal(id, "ada", **(told | more))


def large_window(bytes_of_words: int) -> ContextWindow:
    """A window of so many bytes, of words that repeat nowhere and letters of several bytes."""
    turns = ContextWindow()
    for number in range(bytes_of_words // 3_000):
        turns = turns.add("user", f"turn {number} " + "\u00e9" * 1_490 + f" end{number}")
    return turns


def parts_of(memory: ChrysalisMemory, id: str) -> list[str]:
    return sorted(key for key in memory.get(id).metadata if key.startswith("crystal."))


async def awaited(holds: Callable[[], object], within_s: float = WITHIN_S) -> bool:
    """As `eventually`, without holding up the loop."""
    deadline = monotonic() + within_s
    while not holds():
        if monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True
