"""Links between replicas: listening, dialing, policies, and how the sync stands.

Most programs need none of this by name: `ChrysalisMemory` and `AgentMemory` take `peers`, `listen` and `policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chrysalis_memory.network.config import GossipConfig, SyncConfig
from chrysalis_memory.network.estimate import rounds_estimate
from chrysalis_memory.network.policies import CheckIn, Lumped, Policy, Streaming
from chrysalis_memory.network.status import MergeReport, PeerStatus, SyncReport, SyncStatus

__all__ = [
    "CheckIn",
    "GossipConfig",
    "Lumped",
    "MergeReport",
    "Network",
    "PeerStatus",
    "Policy",
    "Streaming",
    "SyncConfig",
    "SyncReport",
    "SyncStatus",
    "rounds_estimate",
]

if TYPE_CHECKING:
    from chrysalis_memory.network._runtime import Network


def __getattr__(name: str) -> Any:
    # Sockets, TLS and WebSocket take as long to load as all the rest, and most programs open a store and no link.
    if name == "Network":
        from chrysalis_memory.network._runtime import Network

        return Network
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
