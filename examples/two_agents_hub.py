"""Two agents and a hub: what one learns, the other recalls within two seconds.

Run it: `python examples/two_agents_hub.py`. It starts a hub of its own on free ports of this machine, in a temporary
folder, and stops it again.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chrysalis_memory import AgentMemory, ChrysalisMemory

WITHIN_S = 2.0
"""What is promised. On a machine with nothing else to do it takes some hundredths of a second."""


async def main(folder: Path) -> None:
    """Starts the hub, lets two agents learn and recall, and says how long it took."""
    command = [sys.executable, "-m", "chrysalis_memory.cli", "hub", "--store", str(folder / "hub"), "--space", "team"]
    hub = subprocess.Popen([*command, "--port", "0", "--http-port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(hub.stdout.readline())
        # Whoever may administer the space lets others in; here the hub's own store does.
        with ChrysalisMemory(folder / "hub", embedder="none") as founder:
            token = founder.invite("writer", urls=[ready["links"]])
        await two_agents(folder, token)
    finally:
        hub.terminate()
        hub.wait(timeout=60)


async def two_agents(folder: Path, token: str) -> None:
    """One learns, the other recalls. The token is all that either needs."""
    async with (
        AgentMemory("ada", path=folder / "ada", invite=token, embedder="none") as ada,
        AgentMemory("bob", path=folder / "bob", invite=token, embedder="none") as bob,
    ):
        await ada.learn("The kiln reaches 1240 degrees", tags=["kiln"])
        began = time.monotonic()
        while not (hits := await bob.recall("how hot does the kiln get?")):
            if time.monotonic() - began > WITHIN_S:
                raise SystemExit(f"bob did not recall it within {WITHIN_S:g} s")
            await asyncio.sleep(0.005)
        print(f"bob recalls after {time.monotonic() - began:.3f} s: {hits[0].content}")
        print(f"said by {hits[0].memory.agent_id}, and bob checked the signature: {bool(await bob.verify(hits[0].id))}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="chrysalis-") as made:
        asyncio.run(main(Path(made)))
