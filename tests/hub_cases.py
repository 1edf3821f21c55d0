"""What the tests of the hub share: the HTTP interface over a store, on a free port of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

import httpx

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.hub.access import AccessTokens
from chrysalis_memory.hub.audit import AuditLog
from chrysalis_memory.hub.desk import Desk
from chrysalis_memory.hub.health import Health, accepts, store_checks
from chrysalis_memory.hub.http.application import Application
from chrysalis_memory.hub.http.server import HttpServer, bound
from chrysalis_memory.hub.metrics import Metrics
from chrysalis_memory.hub.settings import HubSettings


@dataclass
class Alone:
    """A space of which this store is all there is; its role may be set."""

    own_role: str = "administrator"
    told: list[dict[str, Any]] = field(default_factory=list)
    woken: int = 0

    def role(self) -> str:
        return self.own_role

    def closed(self) -> bool:
        return False

    def members(self) -> list[dict[str, Any]]:
        return self.told

    def replicas(self) -> list[dict[str, Any]]:
        return []

    def proofs(self) -> list[dict[str, Any]]:
        return []

    def links(self) -> int:
        return 0

    def wake(self) -> None:
        self.woken += 1


@dataclass
class Serving:
    """A running HTTP interface."""

    desk: Desk
    tokens: AccessTokens
    collective: Alone
    url: str
    port: int
    ready: list[bool]

    def token(self, right: str, name: str = "tess", lifetime_ms: int | None = None) -> dict[str, str]:
        """Headers with a new access token."""
        secret, _ = self.tokens.make(name, right, now_ms=int(time() * 1000), lifetime_ms=lifetime_ms)
        return {"authorization": f"Bearer {secret}"}

    def client(self, right: str | None = None, **more: Any) -> httpx.Client:
        """A client; with an access token of this right, if one is named."""
        headers = {} if right is None else self.token(right)
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, **more)


def is_answered(client: httpx.Client, path: str) -> bool:
    """Whether it is let in and answered well. A hub that is soon out of patience cuts off who is slow itself."""
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def serving(path: Path, **settings: Any) -> Iterator[Serving]:
    """The HTTP interface over a store at this path."""
    with ExitStack() as stack:
        chosen = HubSettings(**{"http_port": 0, "probe_interval_s": 0.001, **settings})
        memory = stack.enter_context(ChrysalisMemory(path, agent_id="hub", embedder="none"))
        audit = AuditLog(path, bytes_max=chosen.audit_bytes_max, files_max=chosen.audit_files_max)
        collective, ready = Alone(), [True]
        health = Health(interval_s=chosen.probe_interval_s)
        desk = Desk(memory, chosen, audit, health, Metrics(), collective, lambda: ready[0])
        tokens = AccessTokens(path)
        application = Application(desk, tokens)
        server = HttpServer(application.asgi, bound(chosen.host, chosen.http_port), chosen)
        for name, tried in store_checks(memory, chosen.disk_free_bytes_min).items():
            health.add(name, tried)
        health.add("http", accepts(chosen.host, server.port))
        server.start()
        stack.callback(application.stop)
        stack.callback(server.stop)
        yield Serving(desk, tokens, collective, f"http://127.0.0.1:{server.port}", server.port, ready)
