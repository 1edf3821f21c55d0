"""One agent of the demonstration, in a process of its own: it does what lines on its standard input ask."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import Any, TypeAlias

from chrysalis_memory import AgentMemory

Answer: TypeAlias = "dict[str, Any]"
Asked: TypeAlias = "Mapping[str, Any]"

_LOOK_S = 0.002


async def _learn(memory: AgentMemory, asked: Asked) -> Answer:
    note = await memory.learn(asked["content"], id=asked.get("id"))
    return {"id": note.id, "at": time()}


async def _find(memory: AgentMemory, asked: Asked) -> Answer:
    """Recalls until the memory is among the hits; says when it was."""
    end = time() + asked["timeout"]
    while time() < end:
        for hit in await memory.recall(asked["query"], k=5):
            if asked["id"] in {None, hit.id}:
                return {"content": hit.content, "at": time()}
        await asyncio.sleep(_LOOK_S)
    return {}


async def _await_all(memory: AgentMemory, asked: Asked) -> Answer:
    """Waits until these memories are here; says when they were."""
    end = time() + asked["timeout"]
    while time() < end:
        found = await memory.get_many(asked["ids"])
        if None not in found:
            return {"at": time(), "contents": [one.content for one in found if one is not None]}
        await asyncio.sleep(_LOOK_S)
    return {}


async def _await_peers(memory: AgentMemory, asked: Asked) -> Answer:
    """Waits until so many others are linked."""
    end = time() + asked["timeout"]
    linked = 0
    while time() < end:
        linked = sum(peer.connected for peer in (await memory.status()).peers)
        if linked >= asked["count"]:
            break
        await asyncio.sleep(_LOOK_S)
    return {"linked": linked}


async def _await_proof(memory: AgentMemory, asked: Asked) -> Answer:
    """Waits until this replica is proven to have told two stories."""
    end = time() + asked["timeout"]
    while time() < end:
        if any(proof.replica == asked["replica"] for proof in await memory.proofs()):
            return {"at": time()}
        await asyncio.sleep(_LOOK_S)
    return {}


async def _synced(memory: AgentMemory, asked: Asked) -> Answer:
    await memory.synced(timeout=asked["timeout"])
    return {}


async def _state(memory: AgentMemory, asked: Asked) -> Answer:
    return {"state": await memory.sync_state(asked["id"])}


async def _attest(memory: AgentMemory, asked: Asked) -> Answer:
    await memory.attest(asked["id"], asked["confidence"])
    return {}


_DEEDS: dict[str, Callable[[AgentMemory, Asked], Awaitable[Answer]]] = {
    "learn": _learn,
    "find": _find,
    "await_all": _await_all,
    "await_peers": _await_peers,
    "await_proof": _await_proof,
    "synced": _synced,
    "state": _state,
    "attest": _attest,
}


async def main(settings: dict[str, Any]) -> None:
    """Runs the agent until its standard input ends."""
    async with AgentMemory(settings.pop("name"), embedder="none", **settings) as memory:
        status = await memory.status()
        _say({"address": status.address, "key": memory.blocking.public_key})
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            _say(await _DEEDS[asked.pop("do")](memory, asked))


def _say(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.stdin.readline())))
