"""Links between replicas: listening, dialing, policies, and how the sync stands.

Most programs need none of this by name: `ChrysalisMemory` and `AgentMemory` take `peers`, `listen` and `policy`.
"""

from chrysalis_memory.network._runtime import Network
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
