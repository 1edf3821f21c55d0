"""Awaiting calls on a store, which block."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from chrysalis_memory.agent import AgentMemory
from chrysalis_memory.memory import ChrysalisMemory

__all__ = ["AnyMemory", "in_thread"]

AnyMemory: TypeAlias = "ChrysalisMemory | AgentMemory"

T = TypeVar("T")


async def in_thread(memory: AnyMemory, call: Callable[[ChrysalisMemory], T]) -> T:
    """Awaits a blocking call on the store: in a thread of the agent's own, or in one of the loop's."""
    if isinstance(memory, AgentMemory):
        return await memory._call(call, memory.blocking)
    return await asyncio.to_thread(call, memory)
