"""What tests of a hub in its own process share: starting it on free ports, waiting for it, and stopping it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

import httpx

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.hub.access import AccessTokens

WITHIN_S = 60
COMMAND = [sys.executable, "-m", "chrysalis_memory.cli", "hub"]


def environment(**more: str) -> dict[str, str]:
    """This process's, without settings of a hub that somebody may have, and without a model to load."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHRYSALIS_")}
    return {**kept, "CHRYSALIS_HUB_EMBEDDER": "none", **more}


@dataclass
class HubProcess:
    """A hub that runs."""

    store: Path
    process: subprocess.Popen[str]
    ready: dict[str, Any]

    @property
    def links(self) -> str:
        return self.ready["links"]

    @property
    def ports(self) -> list[str]:
        """Flags that start it again where it was."""
        port, http_port = (self.ready[name].rsplit(":", 1)[1] for name in ("links", "http"))
        return ["--port", port, "--http-port", http_port]

    def invite(self, role: str = "writer", *, url: str | None = None) -> str:
        """A token to join, as an administrator of the hub's machine makes it beside the running hub."""
        with ChrysalisMemory(self.store, embedder="none") as founder:
            return founder.invite(role, urls=[url or self.links])

    def client(self, right: str = "admin") -> httpx.Client:
        """A client with an access token."""
        secret, _ = AccessTokens(self.store).make("tests", right, now_ms=int(time() * 1000))
        headers = {"authorization": f"Bearer {secret}"}
        return httpx.Client(base_url=self.ready["http"], headers=headers, timeout=30, trust_env=False)

    def kill(self) -> None:
        """As a power cut does it to a process."""
        self.process.kill()
        self.process.wait(WITHIN_S)

    def stop(self) -> int:
        """In good order; its exit code."""
        self.process.terminate()
        return self.process.wait(WITHIN_S)


@contextmanager
def hub_process(store: Path, *flags: str, **variables: str) -> Iterator[HubProcess]:
    """A hub of the space `team` on free ports, unless the flags say otherwise."""
    ports = [] if "--port" in flags else ["--port", "0", "--http-port", "0"]
    command = [*COMMAND, "--store", str(store), *ports, *flags]
    log = store.parent / f"{store.name}.log"
    with log.open("a") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment(**variables)
        )
    try:
        line = process.stdout.readline()
        assert line, f"the hub did not start: {log.read_text()[-2000:]}"
        yield HubProcess(store, process, json.loads(line))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(WITHIN_S)
        process.stdout.close()
