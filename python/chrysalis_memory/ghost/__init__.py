"""The ghost: the last known answers, for when the live one can't be had.

>>> import tempfile
>>> from chrysalis_memory.ghost import GhostCache
>>> ghost = GhostCache(tempfile.mkdtemp())
>>> ghost.write_agent("ada", {"text": "reading the tide tables"})
>>> ghost.read_agent("ada").text
'reading the tide tables'
"""

from __future__ import annotations

from chrysalis_memory.ghost.cache import GhostCache, default_ghost_path
from chrysalis_memory.ghost.files import GhostProblem
from chrysalis_memory.ghost.off import NoGhost, ghost_of
from chrysalis_memory.ghost.pheromones import Pheromone, Pheromones
from chrysalis_memory.ghost.proposals import Proposal, Proposals
from chrysalis_memory.ghost.records import GhostOverview, GhostReading, SnapshotInfo
from chrysalis_memory.ghost.stability import Stability
from chrysalis_memory.ghost.staleness import Staleness

__all__ = [
    "GhostCache",
    "GhostOverview",
    "GhostProblem",
    "GhostReading",
    "NoGhost",
    "Pheromone",
    "Pheromones",
    "Proposal",
    "Proposals",
    "SnapshotInfo",
    "Stability",
    "Staleness",
    "default_ghost_path",
    "ghost_of",
]
