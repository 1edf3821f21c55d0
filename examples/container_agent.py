"""An agent for a container: it joins by an invitation, then learns something or waits until it can recall it.

`container_agent.py learn|recall --name ada --store FOLDER --invitation FILE`; deploy/compose.yaml runs two of them.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

from chrysalis_memory import AgentMemory

FACT = "The kiln reaches 1240 degrees"
QUESTION = "how hot does the kiln get?"


async def main() -> None:
    """Joins, then does what it was asked to."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("what", choices=["learn", "recall"])
    asked.add_argument("--name", required=True)
    asked.add_argument("--store", type=Path, required=True)
    asked.add_argument("--invitation", type=Path, required=True)
    asked.add_argument("--within", type=float, default=60.0, metavar="SECONDS")
    told = asked.parse_args()
    token = told.invitation.read_text(encoding="utf-8").strip()
    async with AgentMemory(told.name, path=told.store, invite=token, embedder="none") as memory:
        await {"learn": learn, "recall": recall}[told.what](memory, told.within)


async def learn(memory: AgentMemory, within_s: float) -> None:
    """Remembers the fact, and waits until another replica has it on disk."""
    learned = await memory.learn(FACT, id="kiln", tags=["kiln"])
    print(f"{memory.agent_id} learned: {learned.content}", flush=True)
    await memory.synced(timeout=within_s)
    print(f"{memory.agent_id}: the hub has it on disk", flush=True)


async def recall(memory: AgentMemory, within_s: float) -> None:
    """Waits until the question has an answer, and says it."""

    end = time.monotonic() + within_s
    while not (hits := await memory.recall(QUESTION)):
        if time.monotonic() > end:
            raise SystemExit("nobody taught it")
        await asyncio.sleep(0.05)
    print(f"{memory.agent_id} recalls what {hits[0].memory.agent_id} said: {hits[0].content}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
