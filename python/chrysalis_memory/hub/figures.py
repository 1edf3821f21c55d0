"""The figures at /metrics that are asked for when somebody looks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from chrysalis_memory.hub.collective import Linked
from chrysalis_memory.hub.desk import Desk
from chrysalis_memory.records import Stats

__all__ = ["describe"]

STATS_S: Final = 1.0
"""So long one count of the store serves: a dozen figures of one look ask for it."""


class _Counted:
    """The counts of the store, taken once for all figures of one look."""

    def __init__(self, stats: Callable[[], Stats]) -> None:
        self._stats = stats
        self._last: Stats | None = None
        self._at_s = 0.0

    def __call__(self) -> Stats:
        now_s = monotonic()
        if self._last is None or now_s - self._at_s > STATS_S:
            self._last, self._at_s = self._stats(), now_s
        return self._last


def describe(desk: Desk, linked: Linked) -> None:
    """Adds the figures of a hub."""
    gauges, counted = desk.metrics.gauges, _Counted(desk.memory.stats)
    gauges("chrysalis_hub_uptime_seconds", "Seconds since the hub began.", desk.uptime_s)
    gauges("chrysalis_hub_links", "Links that are up.", linked.links)
    gauges("chrysalis_hub_lag_bytes", "Bytes sent to a replica and not acknowledged.", lambda: _by_replica(linked))
    gauges("chrysalis_hub_members", "Members of the space by role.", lambda: _by_role(desk.members()))
    gauges("chrysalis_hub_memories", "Memories that can be read.", lambda: counted().memories)
    gauges("chrysalis_hub_operations", "Operations in the store.", lambda: counted().operations)
    gauges("chrysalis_hub_logs", "Logs in the store.", lambda: counted().logs)
    gauges("chrysalis_hub_conflicts", "Memories with conflicts.", lambda: counted().conflicts)
    gauges("chrysalis_hub_store_bytes", "Bytes of the store by file.", lambda: _by_file(counted()))
    gauges("chrysalis_hub_disk_free_bytes", "Free bytes on its disk.", lambda: _free(desk))
    gauges("chrysalis_hub_audit_lost_total", "Audit lines lost.", lambda: desk.audit.lost, kind="counter")
    gauges("chrysalis_hub_well", "1 if every check of health went well.", lambda: _well(desk))
    gauges("chrysalis_hub_network_total", "What the network counted.", lambda: _named(linked), kind="counter")


Labelled = dict[tuple[tuple[str, str], ...], float]


def _by_replica(linked: Linked) -> Labelled:
    return {(("replica", key),): lag for key, lag in linked.lags().items()}


def _by_role(members: list[dict[str, Any]]) -> Labelled:
    roles = [member["role"] for member in members if not member["removed"]]
    return {(("role", role),): roles.count(role) for role in sorted(set(roles))}


def _by_file(stats: Stats) -> Labelled:
    return {(("file", name),): size for name, size in stats.file_bytes.items()}


def _named(linked: Linked) -> Labelled:
    counters: Mapping[str, int] = linked.counters()
    return {(("what", name),): count for name, count in counters.items()}


def _free(desk: Desk) -> int:
    return shutil.disk_usage(desk.memory.path).free


def _well(desk: Desk) -> int:
    return int(all(check.ok for check in desk.health.look()))
