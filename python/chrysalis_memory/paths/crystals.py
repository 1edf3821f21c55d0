"""The paths of crystals: making, resuming, keeping and composting checkpoints of an agent's work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from chrysalis_memory.context import (
    CRYSTAL_TTL,
    ContextWindow,
    CrystallizationEngine,
    Crystals,
    StateCrystal,
    TaskState,
)
from chrysalis_memory.context._threads import AnyMemory, in_thread
from chrysalis_memory.errors import NotFound
from chrysalis_memory.paths.registry import PathSpec
from chrysalis_memory.records import Duration, Receipt, iso

__all__ = ["CrystalPaths", "crystal_text"]

T = TypeVar("T")


class CrystalPaths:
    """The paths of crystals over one memory.

    `drop` takes what is kept under a key out of the ghost; `engine` are settings of the `CrystallizationEngine`.
    """

    def __init__(
        self,
        memory: Callable[[], Awaitable[AnyMemory]],
        drop: Callable[[str | None], None],
        engine: Mapping[str, Any],
    ) -> None:
        self._memory = memory
        self._drop = drop
        self._engine = dict(engine)

    def specs(self) -> list[PathSpec]:
        """The paths. What is known of a crystal is kept under one key, whichever path told it."""
        crystal: dict[str, Any] = {"key": _key, "to_plain": _plain, "from_plain": _unfaded, "is_everyones": True}
        changing: dict[str, Any] = {"writes": True, "refreshes": {"map": True, "status": True, "cluster": False}}
        reading: dict[str, Any] = {"refreshes": {"map": False, "status": False, "cluster": False}}
        return [
            PathSpec(
                "self.memory.crystallize",
                self.crystallize,
                "Makes a checkpoint: context to crystal",
                to_text=crystal_text,
                **crystal,
                **changing,
            ),
            PathSpec(
                "self.memory.resume",
                self.resume,
                "Takes a checkpoint up again: crystal to context",
                to_value=_window,
                to_text=_window_text,
                **crystal,
                **reading,
            ),
            PathSpec(
                "self.memory.inspect",
                self.resume,
                "Shows all of a crystal",
                to_text=crystal_text,
                **crystal,
                **reading,
            ),
            PathSpec(
                "self.memory.branch",
                self.branch,
                "Goes another way from a crystal",
                to_text=crystal_text,
                **crystal,
                **changing,
            ),
            PathSpec(
                "self.memory.cherish",
                self.cherish,
                "Keeps a crystal from fading",
                to_text=crystal_text,
                **crystal,
                **changing,
            ),
            PathSpec(
                "self.memory.compost",
                self.compost,
                "Forgets a crystal, here and in the ghost",
                key=_key,
                keeps=False,
                from_plain=_unfaded,
                is_everyones=True,
                to_text=_composted_text,
                **changing,
            ),
        ]

    async def crystallize(
        self,
        context: ContextWindow,
        focus_hints: Sequence[str] | None = None,
        ttl: Duration = CRYSTAL_TTL,
        task_state: TaskState | None = None,
        working_memory: Mapping[str, Any] | None = None,
        parent: str | None = None,
        branch_reason: str | None = None,
        thread: str | None = None,
        pinned: bool = False,
    ) -> StateCrystal:
        """See `CrystallizationEngine.crystallize`."""
        engine = CrystallizationEngine(await self._memory(), **self._engine)
        return await engine.crystallize(
            context,
            focus_hints=focus_hints,
            ttl=ttl,
            task_state=task_state,
            working_memory=working_memory,
            parent=parent,
            branch_reason=branch_reason,
            thread=thread,
            pinned=pinned,
        )

    async def resume(self, crystal_id: str) -> StateCrystal:
        """The crystal; its window is what is resumed."""
        return await self._with(lambda crystals: crystals.get(crystal_id))

    async def branch(self, crystal_id: str, reason: str, ttl: Duration = CRYSTAL_TTL) -> StateCrystal:
        """See `Crystals.branch`."""
        return await self._with(lambda crystals: crystals.branch(crystal_id, reason, ttl=ttl))

    async def cherish(self, crystal_id: str) -> StateCrystal:
        """See `Crystals.cherish`."""
        return await self._with(lambda crystals: crystals.cherish(crystal_id))

    async def compost(self, crystal_id: str, reason: str = "") -> Receipt:
        """See `Crystals.compost`; no ghost of it stays either."""
        receipt = await self._with(lambda crystals: crystals.compost(crystal_id, reason=reason))
        self._drop(_key({"crystal_id": crystal_id}, None))
        return receipt

    async def _with(self, call: Callable[[Crystals], T]) -> T:
        return await in_thread(await self._memory(), lambda memory: call(Crystals(memory)))


def crystal_text(crystal: StateCrystal) -> str:
    """A crystal as people read it: which it is, the task, and the summary."""
    branch = f", a branch ({crystal.branch_reason})" if crystal.branch_reason else ""
    life = "kept" if crystal.pinned else f"until {iso(crystal.timestamp + crystal.ttl)}"
    head = f"crystal {crystal.crystal_id} of {crystal.agent}{branch}, {life}"
    return "\n".join(part for part in (head, crystal.task_state.task, crystal.history_summary) if part)


def _key(arguments: Mapping[str, Any], crystal: StateCrystal | None) -> str | None:
    identity = arguments.get("crystal_id") if crystal is None else crystal.crystal_id
    return f"crystal {identity}" if isinstance(identity, str) else None


def _plain(crystal: StateCrystal) -> dict[str, Any]:
    return crystal.to_dict()


def _unfaded(told: Any) -> StateCrystal:
    """The crystal that was kept, unless its time is over in the store too."""
    crystal = StateCrystal.from_dict(told)
    if crystal.is_expired():
        raise NotFound(f"crystal {crystal.crystal_id!r} has faded", id=crystal.crystal_id)
    return crystal


def _window(crystal: StateCrystal) -> ContextWindow:
    return crystal.window


def _window_text(crystal: StateCrystal) -> str:
    return crystal.window.as_text()


def _composted_text(receipt: Receipt | StateCrystal) -> str:
    return crystal_text(receipt) if isinstance(receipt, StateCrystal) else f"composted {receipt.id}"
