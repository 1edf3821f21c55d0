"""Which measurements there are, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks import hub, merging, reading, recalling, syncing, writing
from benchmarks.ground import Ground
from benchmarks.row import Row

__all__ = ["MEASUREMENTS"]

MEASUREMENTS: Mapping[str, Callable[[Ground], list[Row]]] = {
    "remember": writing.single,
    "threads": writing.threads,
    "batch": writing.batches,
    "processes": writing.processes,
    "get": reading.get,
    "by-ids": reading.by_ids,
    "range": reading.by_time,
    "verify": merging.verifying,
    "open": reading.opening,
    "idle": reading.idle,
    "recall": recalling.recall,
    "disk": reading.disk,
    "document": merging.documents,
    "sets": merging.sets,
    "core": merging.core,
    "hub-in": hub.taking_in,
    "hub-out": hub.delivering,
    "hub-links": hub.many_links,
    "hub-latency": hub.from_one_to_another,
    "sync-news": syncing.news,
    "sync-missing": syncing.catching_up,
    "sync-bootstrap": syncing.bootstrap,
}
