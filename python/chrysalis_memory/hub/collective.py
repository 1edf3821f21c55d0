"""The hub's links: started and stopped, watched, counted, and told of.

The network is asked how it stands by one thread of ours, now and then; everybody else reads the last answer. So no
caller over HTTP waits for the loop of links, and a loop that stands still is noticed by its answers growing old.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from chrysalis_memory.errors import ChrysalisError
from chrysalis_memory.hub.audit import AuditLog
from chrysalis_memory.hub.buckets import Buckets
from chrysalis_memory.hub.health import Unwell
from chrysalis_memory.hub.metrics import Metrics
from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.hub.thrift import give_back
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.network import GossipConfig, Network, SyncConfig, SyncStatus
from chrysalis_memory.records import plain

__all__ = ["Linked", "links_config"]

LOOK_S: Final = 1.0
"""How often the network is asked how it stands."""

GIVE_BACK_S: Final = 10.0
"""How often memory that is free is given back to the system."""

EVENTS_MAX: Final = 10_000
"""Events that wait to be written into the audit log; beyond, the oldest go and are counted."""

REFUSED_PER_S: Final = 0.2
REFUSED_BURST: Final = 60
"""Links of strangers that were refused, and refused operations of each key, that the audit log tells of: nobody may
fill it with his own refusals until the rest is gone."""

KEYS_MAX: Final = 10_000
"""Keys of which is remembered that they were told of already."""


def links_config(settings: HubSettings) -> SyncConfig:
    """The settings of links that follow from those of the hub. What is new is told to everyone who is linked."""
    return SyncConfig(
        tls_certificate=settings.tls_cert,
        tls_key=settings.tls_key,
        announce=settings.announce,
        allow_plain=settings.serve_without_tls_beyond_loopback,
        allow_open=settings.serve_open_space_beyond_loopback,
        links_max=settings.links_max,
        links_per_source_max=settings.links_per_source_max,
        handshakes_max=settings.handshakes_max,
        arrivals_per_s=settings.arrivals_per_s,
        open_timeout_s=settings.open_timeout_s,
        write_timeout_s=settings.write_timeout_s,
        silence_s=settings.silence_s,
        gossip=GossipConfig(fanout=None),
    )


class Linked:
    """The network of a hub, as `Desk` wants to know it."""

    def __init__(self, memory: ChrysalisMemory, settings: HubSettings, audit: AuditLog, metrics: Metrics) -> None:
        self._memory = memory
        self._settings = settings
        self._audit = audit
        self._events: deque[tuple[str, Mapping[str, Any]]] = deque(maxlen=EVENTS_MAX)
        self._keys: dict[int, str] = {}
        self._told = Buckets(per_s=REFUSED_PER_S, burst=REFUSED_BURST)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._known: dict[str, bool] = {}
        self._membership: object = None
        self._ended: frozenset[str] = frozenset()
        self._status: SyncStatus | None = None
        self._at_s = monotonic()
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="chrysalis-hub-watch", daemon=True)
        self._count(metrics)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._network = Network(
            memory,
            listen=f"{host}:{settings.port}",
            peers=memory.peers(),
            config=links_config(settings),
            on_event=self._heard,
        )

    def _count(self, metrics: Metrics) -> None:
        self._linked = metrics.counter("chrysalis_hub_links_total", "Links whose key was proven, by role.")
        self._closed = metrics.counter("chrysalis_hub_links_closed_total", "Links that ended, by code.")
        self._stored = metrics.counter("chrysalis_hub_operations_stored_total", "Operations of others, on disk here.")
        self._refused = metrics.counter("chrysalis_hub_refusals_total", "Operations that were refused, by code.")
        self._proven = metrics.counter("chrysalis_hub_proofs_total", "Logs that were proven to fork.")

    # From start to stop.

    def start(self) -> None:
        """Takes the port and begins. Raises `LinkError`."""
        self._network.start()
        self._known = self._members_now()
        self._ended = frozenset(self._memory._core().membership()[1])
        self._look()
        self._watcher.start()

    def stop(self) -> None:
        """Says good-bye to everyone, and tells the audit log what is left to tell."""
        self._network.stop()
        self._ending.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._tell()

    @property
    def address(self) -> str:
        """Where links are taken, as a URL."""
        return self._network.address or ""

    @property
    def port(self) -> int:
        """The port of links."""
        return urlsplit(self.address).port or 0

    # What happens, told by the network in its own thread, and written down in ours.

    def _heard(self, name: str, facts: Mapping[str, Any]) -> None:
        self._add_up(name, facts)
        if name == "ready":
            self._keys[facts["link"]] = facts["key"]
        elif name == "closed":
            self._keys.pop(facts["link"], None)
        elif name == "refused":
            facts = {**facts, "key": self._keys.get(facts["link"])}
        if name not in {"stored", "agreed"}:
            self._events.append((name, facts))

    def _add_up(self, name: str, facts: Mapping[str, Any]) -> None:
        if name == "ready":
            self._linked.add(role=str(facts["role"] or "none"))
        elif name == "closed":
            self._closed.add(code=str(facts["code"]))
        elif name == "stored":
            self._stored.add(facts["count"])
        elif name == "refused":
            self._refused.add(code=str(facts["code"]))
        elif name == "proven":
            self._proven.add()

    def _watch(self) -> None:
        given_back_s = monotonic()
        while not self._ending.wait(LOOK_S):
            self._look()
            self._tell()
            if monotonic() - given_back_s >= GIVE_BACK_S:
                give_back()
                given_back_s = monotonic()

    def _look(self) -> None:
        # While the store is locked or its disk full there is no new answer: that is what the check sees.
        with suppress(ChrysalisError, TimeoutError):
            self._status = self._network.status()
            self._at_s = monotonic()
        with suppress(ChrysalisError):
            self._compare_members()

    def _tell(self) -> None:
        while self._events:
            name, facts = self._events.popleft()
            if name == "ready":
                self._tell_once(facts)
            elif name == "closed" and facts["key"] is None:
                self._tell_refused("link_refused", "strangers", code=facts["code"], why=facts["why"])
            elif name == "refused":
                about = {key: facts.get(key) for key in ("key", "code", "count")}
                self._tell_refused("refused", str(about["key"]), **about)
            elif name == "proven":
                self._audit.write("proven", log=facts.get("log"))

    def _tell_refused(self, what: str, whose: str, **about: Any) -> None:
        """They can come as often as they like; the log need not tell of each, the figures do."""
        if self._told.take(whose, now_s=monotonic()) == 0:
            self._audit.write(what, **about)

    def _tell_once(self, facts: Mapping[str, Any]) -> None:
        """Agents come and go; the log tells of each key once in a run of the hub."""
        key = str(facts["key"])
        if key in self._seen:
            self._seen.move_to_end(key)
            return
        self._seen[key] = None
        while len(self._seen) > KEYS_MAX:
            self._seen.popitem(last=False)
        self._audit.write("linked", key=key, role=facts.get("role"))

    def _members_now(self) -> dict[str, bool]:
        return {member["key"]: member["removed"] for member in self.members()}

    def _compare_members(self) -> None:
        membership = self._memory._core().membership()
        if membership == self._membership:
            return
        now = self._members_now()
        for key, removed in now.items():
            if key not in self._known:
                self._audit.write("joined", key=key)
            if removed and not self._known.get(key, False):
                self._audit.write("removed", key=key)
        ended = frozenset(membership[1])
        for key in sorted(ended - self._ended - now.keys()):
            self._audit.write("revoked", invitation=key)
        self._known, self._membership, self._ended = now, membership, ended

    # What it knows.

    def check_alive(self) -> None:
        """Raises `Unwell` when the network has not answered lately."""
        silent_s = monotonic() - self._at_s
        if silent_s > self._settings.sync_stall_s:
            raise Unwell(f"the loop of links has not answered for {int(silent_s)} s")

    def role(self) -> str:
        """Of this hub in its space."""
        return self._memory.role

    def closed(self) -> bool:
        """Whether the space is closed."""
        return self._memory.closed

    def links(self) -> int:
        """How many links are up, their keys proven."""
        return sum(peer.connected for peer in self._peers())

    def lags(self) -> dict[str, int]:
        """Bytes of operations that were sent to each linked replica and not acknowledged, by key."""
        linked = [peer for peer in self._peers() if peer.connected]
        return {peer.key: peer.unacknowledged_bytes for peer in linked if peer.key is not None}

    def wake(self) -> None:
        """Something was written here, and others should hear of it at once."""
        self._network.wake()

    def counters(self) -> Mapping[str, int]:
        """What the network counted since its start."""
        return self._network.counters()

    def replicas(self) -> list[dict[str, Any]]:
        """Who is linked or wanted, and how far each lags."""
        return [
            {
                "key": peer.key,
                "role": peer.role,
                "address": peer.url,
                "linked": peer.connected,
                "agreed": peer.agreed,
                "lag": peer.lag if peer.connected else None,
                "lag_bytes": peer.unacknowledged_bytes if peer.connected else None,
                "last_contact": plain(peer.last_contact),
                "last_error": peer.last_error,
            }
            for peer in self._peers()
        ]

    def members(self) -> list[dict[str, Any]]:
        """Who belongs to the space, or did."""
        linked = {peer.key for peer in self._peers() if peer.connected}
        told = ("key", "role", "agents", "joined_at", "invited_by", "invitation", "removed")
        return [
            {**{name: plain(getattr(member, name)) for name in told}, "linked": member.key in linked}
            for member in self._memory.members()
        ]

    def proofs(self) -> list[dict[str, Any]]:
        """Logs that were proven to fork: whose, and from which place on they are void."""
        return [proof.to_dict() for proof in self._memory.proofs()]

    def _peers(self) -> tuple[Any, ...]:
        return () if self._status is None else self._status.peers
