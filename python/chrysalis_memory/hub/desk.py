"""What the endpoints stand on: the hub's memory, its links, its figures, and how to tell of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from chrysalis_memory.hub.audit import AuditLog
from chrysalis_memory.hub.health import Health
from chrysalis_memory.hub.metrics import Metrics
from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.memory import ChrysalisMemory

__all__ = ["Collective", "Desk"]


class Collective(Protocol):
    """What the hub knows of the others: the part that membership and links fill in. Keys are in hex."""

    def role(self) -> str:
        """Of this hub in its space."""

    def closed(self) -> bool:
        """Whether the space is closed."""

    def members(self) -> list[dict[str, Any]]:
        """Who belongs to the space."""

    def replicas(self) -> list[dict[str, Any]]:
        """Who is or was linked, and how far each lags."""

    def proofs(self) -> list[dict[str, Any]]:
        """Logs that were proven to fork."""

    def links(self) -> int:
        """How many links are up."""

    def wake(self) -> None:
        """Something was written here, and others should hear of it at once."""


@dataclass
class Desk:
    """One hub, as its endpoints see it."""

    memory: ChrysalisMemory
    settings: HubSettings
    audit: AuditLog
    health: Health
    metrics: Metrics
    collective: Collective
    is_ready: Callable[[], bool]
    began_s: float = field(default_factory=time.monotonic)

    def role(self) -> str:
        """Of this hub in its space."""
        return self.collective.role()

    def members(self) -> list[dict[str, Any]]:
        """Who belongs to the space."""
        return self.collective.members()

    def replicas(self) -> list[dict[str, Any]]:
        """Who is or was linked, and how far each lags."""
        return self.collective.replicas()

    def proofs(self) -> list[dict[str, Any]]:
        """Logs that were proven to fork."""
        return self.collective.proofs()

    def uptime_s(self) -> float:
        """Seconds since the hub began."""
        return time.monotonic() - self.began_s

    def status(self) -> dict[str, Any]:
        """The hub in a few figures."""
        from chrysalis_memory import __version__

        stats = self.memory.stats()
        return {
            "version": __version__,
            "space": stats.space,
            "closed": self.collective.closed(),
            "role": self.role(),
            "replica": stats.replica,
            "uptime_s": round(self.uptime_s(), 3),
            "links": self.collective.links(),
            **{name: getattr(stats, name) for name in ("memories", "forgotten", "operations", "logs", "conflicts")},
            "store_bytes": sum(stats.file_bytes.values()),
            "disk_free_bytes": shutil.disk_usage(self.memory.path).free,
            "embedder": stats.embedder,
        }
