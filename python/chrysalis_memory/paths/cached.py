"""The paths of the ghost itself: `self.memory.manifest` reads it, `self.memory.engram` writes it.

A fresh entry is shown as it is. For one that is older, or missing, the live answer is tried for, if there is one; only
when that can't be had either, a stale entry is shown as a ghost, and an older one is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Final

from chrysalis_memory.errors import ChrysalisError, LinkError, NotFound, Refused, StoreError
from chrysalis_memory.ghost import GhostCache, GhostReading, Staleness
from chrysalis_memory.ghost.cache import ENTRIES
from chrysalis_memory.ghost.names import checked_name
from chrysalis_memory.ghost.records import as_text
from chrysalis_memory.paths.answer import PathAnswer

__all__ = ["NOT_REACHED", "Cached", "count_failure", "now", "unreached"]

MANIFEST: Final = "self.memory.manifest"
ENGRAM: Final = "self.memory.engram"

NOT_REACHED: Final = (StoreError, LinkError, OSError)
"""What stands between a call and the live answer. All other errors are about the call itself."""

_SHOWN: Final = (*ENTRIES, "agent", "pheromones", "proposals")
_WRITTEN: Final = (*ENTRIES, "agent")

Live = Mapping[str, "Callable[[], Awaitable[dict[str, Any]]]"]
"""For the entries that have a live answer, how it is had."""


class Cached:
    """Reads and writes the ghost of one agent; `live` says how the live answers are had, `store` of which store."""

    def __init__(self, ghost: GhostCache, agent: str, live: Live, store: str) -> None:
        self._ghost = ghost
        self._agent = agent
        self._live = live
        self._store = store

    async def manifest(self, what: str = "status", name: str | None = None, anew: bool = False) -> PathAnswer:
        """What is known of the status, the map, the cluster, an agent, pheromones or proposals.

        `anew` asks for the live answer even where what is kept is still fresh.
        """
        _check(what, name, _SHOWN)
        if what in {"pheromones", "proposals"}:
            value = await asyncio.to_thread(self._together, what, name)
            return PathAnswer(MANIFEST, value, as_text(value), now())
        reading = await asyncio.to_thread(self._read, what, name)
        if reading is not None and reading.level is Staleness.FRESH and not (anew and what in self._live):
            return _answer(reading)
        if what not in self._live:
            return _ghost(what, reading)
        try:
            value = await self._live[what]()
        except NOT_REACHED as error:
            await asyncio.to_thread(count_failure, self._ghost)
            return _instead(what, reading, error)
        return await asyncio.to_thread(self._keep, what, value)

    async def engram(self, state: Any, what: str = "agent", name: str | None = None) -> PathAnswer:
        """Keeps a state (any JSON value) as the last known one: of an agent, or the status, the map, the cluster."""
        _check(what, name, _WRITTEN)
        await asyncio.to_thread(self._write, what, name, state)
        return PathAnswer(ENGRAM, state, as_text(state), now())

    async def refresh(self, whats: Mapping[str, bool]) -> tuple[str, ...]:
        """Has live answers anew: where told to, and where what is kept is no longer fresh; returns what went wrong."""
        wrong: list[str] = []
        if not self._ghost.keeps:
            return ()
        for what, must in whats.items():
            reading = await asyncio.to_thread(self._read, what, None)
            if not must and reading is not None and reading.level is Staleness.FRESH:
                continue
            try:
                await asyncio.to_thread(self._write, what, None, await self._live[what]())
            except (ChrysalisError, OSError, ValueError) as error:
                wrong.append(f"the ghost's {what} was not written: {error}")
        return tuple(wrong)

    def _read(self, what: str, name: str | None) -> GhostReading | None:
        if what == "agent":
            return self._ghost.read_agent(self._agent if name is None else name)
        reading = self._ghost.read(what)
        is_others = reading is not None and isinstance(reading.data, dict) and "store" in reading.data
        # A ghost that two stores share must not let one answer for the other.
        return None if is_others and reading and reading.data["store"] != self._store else reading

    def _write(self, what: str, name: str | None, value: Any) -> None:
        if what == "agent":
            self._ghost.write_agent(self._agent if name is None else name, value)
        else:
            self._ghost.write(what, value)

    def _keep(self, what: str, value: dict[str, Any]) -> PathAnswer:
        answer = PathAnswer(MANIFEST, value, as_text(value), now())
        if not self._ghost.keeps:
            return answer
        try:
            self._ghost.record_call(True)
            self._ghost.write(what, value)
        except (ChrysalisError, ValueError) as error:
            return replace(answer, warnings=(f"the ghost was not written: {error}",))
        return answer

    def _together(self, what: str, name: str | None) -> dict[str, Any]:
        if what == "pheromones":
            traces = self._ghost.pheromones.sniff(name)
            words = "\n".join(f"{one.type} {one.strength:.2f} {one.agent}: {one.message}" for one in traces)
            return {"text": words or "nothing is in the air", "traces": [one.to_dict() for one in traces]}
        pending, rejected = self._ghost.proposals.pending(), self._ghost.proposals.rejected()
        lines = [f"pending {one.id} {one.agent}: {one.text}" for one in pending]
        lines += [f"rejected {one.id} {one.agent}: {one.text} ({one.reason})" for one in rejected]
        return {
            "text": "\n".join(lines) or "no proposals",
            "pending": [one.to_dict() for one in pending],
            "rejected": [one.to_dict() for one in rejected],
        }


def count_failure(ghost: GhostCache) -> None:
    """Counts a call that did not get its live answer. A ghost that can't be written may still be read."""
    with suppress(ChrysalisError):
        ghost.record_call(False)


def unreached(error: Exception, why: str, known: PathAnswer | None) -> ChrysalisError:
    """The error itself, with what the ghost has to say to it; `ghost` is the text of what was last known, or None."""
    shown = None if known is None else known.text
    if not isinstance(error, ChrysalisError):
        return StoreError(f"{error}; {why}", ghost=shown)
    return type(error)(f"{error}; {why}", code=error.code, hint=error.hint, **{**error.data, "ghost": shown})


def now() -> datetime:
    """The present in UTC."""
    return datetime.now(timezone.utc)


def _check(what: str, name: str | None, known: tuple[str, ...]) -> None:
    if what not in known:
        raise ValueError(f"{what!r} is nothing that the ghost keeps; there are {', '.join(known)}")
    if name is not None:
        checked_name("the name", name)
        if what not in {"agent", "pheromones"}:
            raise ValueError(f"there is one {what} only; a name stands with agent and pheromones")


def _answer(reading: GhostReading, *, is_ghost: bool = False, why: str = "") -> PathAnswer:
    words, at = as_text(reading.data), reading.written_at
    return PathAnswer(MANIFEST, reading.data, words, at, is_ghost, reading.age_s, reading.level, why)


def _ghost(what: str, reading: GhostReading | None) -> PathAnswer:
    """What has no live answer: the entry as it is; raises what it is not."""
    if reading is None:
        raise NotFound(f"nothing is kept of the {what}", code="ghost_miss", hint=f"`{ENGRAM}` keeps it.")
    if reading.level is Staleness.REFUSE:
        raise Refused(
            f"the {what} is not shown: {reading.why}", code="ghost_refused", hint=f"`{ENGRAM}` keeps a newer one."
        )
    return _answer(reading, is_ghost=True, why=reading.why)


def _instead(what: str, reading: GhostReading | None, error: Exception) -> PathAnswer:
    """The entry in place of the live answer that could not be had; raises the error if there is none to show."""
    if reading is None:
        raise unreached(error, f"and nothing is kept of the {what}", None) from error
    if reading.level is Staleness.REFUSE:
        raise unreached(error, f"and what is kept of the {what} is not shown: {reading.why}", None) from error
    return _answer(reading, is_ghost=True, why=str(error))
