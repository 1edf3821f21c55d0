"""The node and the one thread in which it steps.

What the links bring is gathered while a step runs; the next step takes all of it together, into one transaction. So the
batches grow with the load, by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any, Final, TypeVar

from chrysalis_memory._core import Node, Replica
from chrysalis_memory.network._links import Word
from chrysalis_memory.network._pace import Pace
from chrysalis_memory.network._time import now_ms

__all__ = ["Effect", "Steps"]

T = TypeVar("T")

Effect = tuple[Any, ...]
"""`("send", link, frame)`, `("close", link, code, why)`, `("dial", address)`, `("event", name, facts)` or
`("fault", error)`."""

_TIMELESS: Final = frozenset({"received", "forget_peer"})

_LONGEST_SLEEP_S: Final = 1.0  # links that are stuck are looked for that often


class Steps:
    """Tells the node what happened, steps it, and says what is to be done. Its methods but `advance` and `ask` belong
    to that thread."""

    def __init__(self, node: Node, replica: Replica, pace: Pace, watch_interval_s: float) -> None:
        self._node = node
        self._replica = replica
        self._pace = pace
        self._watch_interval_s = watch_interval_s
        self._seen: object = None
        self._wake_ms: int | None = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chrysalis-network-step")

    async def advance(self, words: list[Word]) -> tuple[Sequence[Effect], bool]:
        """One step, if anything happened or is due; and whether the policy wants others to be called now."""
        return await self.ask(lambda: self._advance(words))

    async def ask(self, call: Callable[[], T]) -> T:
        """The answer of a call in that thread, between two steps."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def begin(self) -> None:
        """Before the first step."""
        self._pace.begin(self._node)

    async def contact_is_over(self, calling: int) -> bool:
        """Whether a contact that the policy began has come to its end."""
        if self._pace.steady or not self._pace.calls:
            return False
        return self._pace.is_over(await self.links(), calling, time())

    async def links(self) -> list[dict[str, Any]]:
        """How each link stands."""
        links: list[dict[str, Any]] = (await self.ask(self._node.status))["links"]
        return links

    async def lags(self, keys: set[str]) -> dict[str, int]:
        """Operations of this replica that each of these has not acknowledged."""
        everything, by_peer = await self.ask(self._replica.unsent_by_peer)
        return {key: by_peer.get(key, everything) for key in keys}

    async def counts(self) -> tuple[int, int, int]:
        """Operations of this replica that are local, pending, synced."""
        return await self.ask(self._replica.sync_counts)

    def _advance(self, words: list[Word]) -> tuple[Sequence[Effect], bool]:
        now = now_ms()
        for name, *arguments in words:
            timed = () if name in _TIMELESS else (now,)
            getattr(self._node, name)(*arguments, *timed)
        contact = self._pace.look(self._node, time())
        if not words and not contact and not self._is_due(now):
            return [], False
        return self.step(), contact

    def _is_due(self, now: int) -> bool:
        if self._wake_ms is not None and self._wake_ms <= now:
            return True
        return self._replica.position() != self._seen

    def step(self) -> Sequence[Effect]:
        """One step now. What was written between the look at the position and the step is looked at once more."""
        self._seen = self._replica.position()
        effects = self._node.step(now_ms())
        self._wake_ms = self._node.wake_at()
        return effects

    def sleep_s(self, linked: bool) -> float:
        """How long nothing is due, if nothing happens. Without links nobody waits for what other processes write."""
        longest = self._watch_interval_s if linked else _LONGEST_SLEEP_S
        if self._wake_ms is None:
            return longest
        return min(longest, max(0.0, (self._wake_ms - now_ms()) / 1000))

    def end(self) -> None:
        """Waits for the step that runs, and lets go of the node."""
        self._thread.shutdown(wait=True)
