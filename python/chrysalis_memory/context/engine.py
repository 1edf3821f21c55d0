"""From a window to a crystal and back, awaited."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from chrysalis_memory.context._threads import AnyMemory, in_thread
from chrysalis_memory.context.crystal import CRYSTAL_TTL, StateCrystal, TaskState, new_crystal_id
from chrysalis_memory.context.crystals import Crystals
from chrysalis_memory.context.projection import Projection
from chrysalis_memory.context.projector import ContextProjector
from chrysalis_memory.context.summarising import Summariser
from chrysalis_memory.context.tokens import TokenCounter
from chrysalis_memory.context.window import ContextWindow
from chrysalis_memory.records import Duration

__all__ = ["BUDGET_TOKENS", "CrystallizationEngine"]

BUDGET_TOKENS = 8_000
"""Tokens of a crystal's window unless one says otherwise: what a model reads again at little cost."""

_log = logging.getLogger("chrysalis_memory")


class CrystallizationEngine:
    """Makes crystals of windows, and windows of crystals. What blocks runs in threads.

    `memory` is a `ChrysalisMemory` or a started `AgentMemory`; `counter`, `summariser` and `budget_tokens` are those of
    `ContextProjector`.

    >>> import asyncio
    >>> engine = CrystallizationEngine(example_store(), budget_tokens=100)
    >>> window = ContextWindow().add("user", "Which cone?").add("assistant", "[FOCUS:decision] Cone 6.")
    >>> crystal = asyncio.run(engine.crystallize(window))
    >>> [fragment.content for fragment in crystal.focus_fragments]
    ['[FOCUS:decision] Cone 6.']
    >>> asyncio.run(engine.resume(crystal.crystal_id)) == window
    True
    """

    def __init__(
        self,
        memory: AnyMemory,
        *,
        counter: TokenCounter | None = None,
        summariser: Summariser | None = None,
        budget_tokens: int = BUDGET_TOKENS,
    ) -> None:
        self._memory = memory
        self._projector = ContextProjector(counter, summariser)
        self._asks = summariser is not None
        self.budget_tokens = budget_tokens

    async def crystallize(
        self,
        context: ContextWindow,
        focus_hints: Sequence[str] | None = None,
        ttl: Duration = CRYSTAL_TTL,
        *,
        task_state: TaskState | None = None,
        working_memory: Mapping[str, Any] | None = None,
        parent: str | StateCrystal | None = None,
        branch_reason: str | None = None,
        thread: str | None = None,
        pinned: bool = False,
        agent: str | None = None,
        scope: str = "",
        budget_tokens: int | None = None,
    ) -> StateCrystal:
        """Compresses the window to the budget and saves it: on disk when this returns.

        Turns that a focus mark or one of the `focus_hints` points at stay verbatim, those of the class PRESERVED in any
        case; see `ContextProjector`. It fades after `ttl` unless it is `pinned`. With a `parent` it goes on from that
        crystal, and with a `branch_reason` beside it, one branch deeper. Raises `NotFound` for a parent that is not
        here, and what `Crystals.save` raises; the window is never lost by it.
        """
        if branch_reason is not None and parent is None:
            raise ValueError("branch_reason is given without the parent to branch from")
        origin = None if parent is None else await self._parent(parent)
        budget = self.budget_tokens if budget_tokens is None else budget_tokens
        projection = await self._projected(context, budget, tuple(focus_hints or ()))
        if projection.warning:
            _log.warning("crystallizing: %s", projection.warning)
        crystal = StateCrystal(
            new_crystal_id(),
            self._memory.agent_id if agent is None else agent,
            datetime.now(timezone.utc),
            task_state=TaskState() if task_state is None else task_state,
            working_memory=dict(working_memory or {}),
            parent_crystal=None if origin is None else origin.crystal_id,
            branch_reason=branch_reason,
            branch_depth=_depth(origin, branch_reason),
            ttl=ttl,  # type: ignore[arg-type]  # read as `remember` reads it
            pinned=pinned,
            thread=thread,
            **_fields(projection),
        )
        return await in_thread(self._memory, lambda memory: Crystals(memory).save(crystal, scope=scope))

    async def resume(self, crystal_id: str) -> ContextWindow:
        """The window that the crystal was saved with: verbatim what was preserved, in order, with its masks.

        Raises what `Crystals.get` raises.
        """
        crystal = await self.get(crystal_id)
        return crystal.window

    async def get(self, crystal_id: str) -> StateCrystal:
        """The whole crystal. Raises what `Crystals.get` raises."""
        return await in_thread(self._memory, lambda memory: Crystals(memory).get(crystal_id))

    async def branch(self, crystal_id: str, reason: str, **more: Any) -> StateCrystal:
        """See `Crystals.branch`."""
        return await in_thread(self._memory, lambda memory: Crystals(memory).branch(crystal_id, reason, **more))

    async def _projected(self, context: ContextWindow, budget: int, hints: tuple[str, ...]) -> Projection:
        if self._asks:
            # A summariser may belong to this loop.
            return await self._projector.aproject(context, budget, hints)
        return await asyncio.to_thread(self._projector.project, context, budget, hints)

    async def _parent(self, parent: str | StateCrystal) -> StateCrystal:
        return await self.get(parent.crystal_id if isinstance(parent, StateCrystal) else parent)


def _depth(parent: StateCrystal | None, reason: str | None) -> int:
    return 0 if parent is None else parent.branch_depth + (reason is not None)


def _fields(projection: Projection) -> dict[str, Any]:
    return {
        "history_summary": projection.summary,
        "summary_tokens": projection.summary_tokens,
        "focus_fragments": tuple(projection.fragments),
        "focus_tokens": projection.focus_tokens,
        "window": projection.window,
        "warning": projection.warning,
    }
