"""Live answers about a store, as plain data with words for people: its status, the map of its crystals, its links."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from chrysalis_memory.context import Crystals, TreeRow
from chrysalis_memory.context.entry import tree_of
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.records import plain

__all__ = ["cluster_of", "map_of", "status_of"]

CRYSTALS_SHOWN: Final = 1_000
"""Crystals in the map, the newest: more than anyone picks from, and well below what an entry of the ghost may hold."""


def status_of(memory: ChrysalisMemory) -> dict[str, Any]:
    """Counts and sizes of the store.

    >>> status_of(example_store())["text"]
    '0 memories in the space default'
    """
    found = memory.stats()
    memories = "1 memory" if found.memories == 1 else f"{found.memories} memories"
    return {"text": f"{memories} in the space {found.space}", "store": str(memory.path), **found.to_dict()}


def map_of(memory: ChrysalisMemory) -> dict[str, Any]:
    """The crystals as rows of their tree: parents before children, older before newer; each a line of the text.

    >>> map_of(example_store())["text"]
    'no crystals'
    """
    rows = tree_of(Crystals(memory).list(limit=CRYSTALS_SHOWN))
    text = "\n".join(map(_line, rows)) or "no crystals"
    return {"text": text, "store": str(memory.path), "crystals": [row.to_dict() for row in rows]}


def _line(row: TreeRow) -> str:
    entry = row.entry
    branch = f" ({entry.branch_reason})" if entry.branch_reason else ""
    return f"{'  ' * row.level}{entry.crystal_id} {entry.agent}{branch}: {entry.task or 'no task'}"


def cluster_of(memory: ChrysalisMemory) -> dict[str, Any]:
    """How the sync with other replicas stands.

    >>> cluster_of(example_store())["text"]
    'not linked; 1 written here and on no other replica'
    """
    found = memory.status()
    linked = sum(peer.connected for peer in found.peers)
    links = f"linked to {linked} of {len(found.peers)} replicas" if found.running else "not linked"
    text = f"{links}; {found.pending + found.local} written here and on no other replica"
    return {"text": text, "store": str(memory.path), **plain(asdict(found))}
