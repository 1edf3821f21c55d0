"""Shared memory for AI agents: works offline, merges without conflict, proves who said what, and really forgets.

Start with `ChrysalisMemory`, or `AgentMemory` where code awaits.
"""

from chrysalis_memory._core import LogicalTime, Memory, fingerprint, verify_signature
from chrysalis_memory.agent import AgentMemory
from chrysalis_memory.config import Config
from chrysalis_memory.crdt import GCounter, GSet, LWWRegister, MemoryDocument, MemoryStorage, ORSet, VectorClock
from chrysalis_memory.embedding import Embedder
from chrysalis_memory.errors import (
    BadSignature,
    ChrysalisError,
    DiskFull,
    Equivocation,
    LinkClosed,
    LinkError,
    LinkTimeout,
    Malformed,
    NotAllowed,
    NotFound,
    PeerMisbehaved,
    Refused,
    StoreCorrupt,
    StoreError,
    StoreLocked,
    StoreReadOnly,
    StoreTooNew,
    TooFarAhead,
    TooLarge,
    Unreachable,
)
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.records import (
    Change,
    Conflict,
    Hit,
    ImportProblem,
    ImportReport,
    MemoryType,
    Outcome,
    Problem,
    Recall,
    Receipt,
    Revision,
    Stats,
    Tier,
    Verification,
)

__version__ = "0.1.0"

__all__ = [
    "AgentMemory",
    "BadSignature",
    "Change",
    "ChrysalisError",
    "ChrysalisMemory",
    "Config",
    "Conflict",
    "DiskFull",
    "Embedder",
    "Equivocation",
    "GCounter",
    "GSet",
    "Hit",
    "ImportProblem",
    "ImportReport",
    "LWWRegister",
    "LinkClosed",
    "LinkError",
    "LinkTimeout",
    "LogicalTime",
    "Malformed",
    "Memory",
    "MemoryDocument",
    "MemoryStorage",
    "MemoryType",
    "NotAllowed",
    "NotFound",
    "ORSet",
    "Outcome",
    "PeerMisbehaved",
    "Problem",
    "Recall",
    "Receipt",
    "Refused",
    "Revision",
    "Stats",
    "StoreCorrupt",
    "StoreError",
    "StoreLocked",
    "StoreReadOnly",
    "StoreTooNew",
    "Tier",
    "TooFarAhead",
    "TooLarge",
    "Unreachable",
    "VectorClock",
    "Verification",
    "fingerprint",
    "verify_signature",
]
