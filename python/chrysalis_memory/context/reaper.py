"""Composting what has faded, on a schedule and on demand, and saying what was done.

A crystal that was never cherished fades by itself on every replica, and the store erases it there, reaper or not. One
that was cherished and let go is hidden everywhere once its time has come, but its words had been said to stay: a
reaper forgets it. It never forgets one that is cherished, nor one whose time has not come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import TracebackType
from typing import Any, Final

from chrysalis_memory.context._crystal_codec import HEADER_KEY, MEMORY_TYPE, header_in
from chrysalis_memory.context._threads import AnyMemory, in_thread
from chrysalis_memory.context.crystals import Crystals
from chrysalis_memory.context.entry import CrystalEntry
from chrysalis_memory.errors import ChrysalisError, NotAllowed, NotFound
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.records import from_ms, iso

__all__ = ["REAP_INTERVAL_S", "Composted", "CrystalReaper", "ReapReport"]

REAP_INTERVAL_S: Final = 900.0
"""How often a reaper looks. Nothing is shown past its time whenever it looks; sooner would only say it sooner."""

_AT_ONCE: Final = 1 << 20

_log = logging.getLogger("chrysalis_memory")


@dataclass(frozen=True)
class Composted:
    """A crystal that is gone, or stays although its time is over: how much it was, and why."""

    crystal_id: str
    tokens: int
    """Tokens of its summary and of what it kept word for word; 0 where its header could not be read."""
    size: int
    """Bytes of its data."""
    expired_at: datetime
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return told | {"expired_at": iso(self.expired_at)}


@dataclass(frozen=True)
class ReapReport:
    """What one look of a reaper did."""

    at: datetime
    composted: tuple[Composted, ...] = ()
    left: tuple[Composted, ...] = ()
    """Past their time, and not this replica's to forget."""

    @property
    def tokens(self) -> int:
        """Tokens of all that was composted."""
        return sum(one.tokens for one in self.composted)

    @property
    def size(self) -> int:
        """Bytes of all that was composted."""
        return sum(one.size for one in self.composted)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data that `json.dumps` takes."""
        lists = {name: [one.to_dict() for one in getattr(self, name)] for name in ("composted", "left")}
        return {"at": iso(self.at), "tokens": self.tokens, "size": self.size, **lists}


@dataclass
class CrystalReaper:
    """Composts what has faded. Use it as an async context manager to have it done on a schedule.

    >>> import asyncio
    >>> reaper = CrystalReaper(example_store())
    >>> asyncio.run(reaper.reap()), reaper.last_report.tokens
    ([], 0)
    """

    memory: AnyMemory
    interval_s: float = REAP_INTERVAL_S
    last_report: ReapReport | None = None
    """What the latest look did; None before the first."""
    _known: dict[str, CrystalEntry] = field(default_factory=dict, repr=False)
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.interval_s > 0:
            raise ValueError(f"interval_s is {self.interval_s}; it must be greater than 0")

    async def reap(self) -> list[str]:
        """Composts what has faded now, and returns the ids; `last_report` says more. Raises what the store raises."""
        report = await in_thread(self.memory, self.look)
        return [one.crystal_id for one in report.composted]

    def look(self, memory: ChrysalisMemory) -> ReapReport:
        """The same, blocking, with the whole report."""
        now = datetime.now(timezone.utc)
        seen = {one.crystal_id: one for one in Crystals(memory).entries() if one.expires_at is not None}
        expired = [one for one in (self._known | seen).values() if one.is_expired(now)]
        memory._core().sweep()
        faded, left = _forget_faded(memory)
        handled = {one.crystal_id for one in (*faded, *left)}
        gone = [_told(one) for one in expired if one.crystal_id not in handled and _is_swept(memory, one.crystal_id)]
        self._known = {one.crystal_id: one for one in seen.values() if not one.is_expired(now)}
        self.last_report = ReapReport(now, (*gone, *faded), tuple(left))
        _say(self.last_report)
        return self.last_report

    async def start(self) -> CrystalReaper:
        """Begins to look every `interval_s`, at once for the first time. Starting twice is no error."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look_again_and_again())
        return self

    async def stop(self) -> None:
        """Ends the schedule. Stopping twice is no error."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def __aenter__(self) -> CrystalReaper:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                await self.reap()
            except ChrysalisError as error:
                _log.warning("crystals were not composted, next try in %g s: %s", self.interval_s, error)
            await asyncio.sleep(self.interval_s)


def _forget_faded(memory: ChrysalisMemory) -> tuple[list[Composted], list[Composted]]:
    """Forgets what has faded and still has words, as far as this replica may."""
    done: list[Composted] = []
    left: list[Composted] = []
    for crystal_id, end, header, size in memory._core().faded(MEMORY_TYPE, HEADER_KEY, _AT_ONCE):
        try:
            memory.forget(crystal_id, reason="its time was over")
        except NotFound:
            continue  # by somebody else, just now
        except NotAllowed as error:
            left.append(_composted(crystal_id, end, header, size, f"its time is over, and {error}"))
        else:
            done.append(_composted(crystal_id, end, header, size, "it was let go, and its time was over: forgotten"))
    return done, left


def _composted(id: str, end: int, text: str | None, size: int, reason: str) -> Composted:
    header = header_in(text)
    tokens = 0 if header is None else header.summary_tokens + header.focus_tokens
    return Composted(id, tokens, size if header is None else header.size, from_ms(end), reason)


def _told(entry: CrystalEntry) -> Composted:
    end = entry.expires_at or datetime.now(timezone.utc)
    return Composted(entry.crystal_id, entry.tokens, entry.size, end, "its time was over: erased")


def _is_swept(memory: ChrysalisMemory, id: str) -> bool:
    """Whether it went because its time was over: what is there was given more time, what is dead was forgotten."""
    if memory.get(id) is not None:
        return False
    try:
        memory.receipt(id)
    except NotFound:
        return True
    return False


def _say(report: ReapReport) -> None:
    for one in report.composted:
        _log.info("composted crystal %s: %d tokens, %d bytes; %s", one.crystal_id, one.tokens, one.size, one.reason)
