"""What a network says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

__all__ = ["MergeReport", "PeerStatus", "SyncReport", "SyncStatus"]


@dataclass(frozen=True)
class PeerStatus:
    """One other replica, linked or wanted."""

    url: str | None
    """Where it listens, as far as that is known."""

    key: str | None
    """Its public key in hex, once it has proven it."""

    role: str | None
    """Its role; None for one that is merely trusted, and before anything of it is here."""

    connected: bool
    """Whether the link is up and both sides have proven who they are."""

    dialed: bool
    """Whether this side called."""

    agreed: bool
    """Whether both held the same when they last compared."""

    last_contact: datetime | None
    """When something was last heard of it, in UTC; None: never since this network was started."""

    lag: int
    """What it lacks of ours: operations of this replica that it has not acknowledged."""

    ahead_logs: int
    """What we lack of it: logs of which it has said to have more than is here. How many operations these are is known
    when they have come."""

    unacknowledged_bytes: int
    """Bytes that were sent to it and are not on its disk as far as is known."""

    last_error: str | None
    """Why the last link or call ended, if it was not by wish."""


@dataclass(frozen=True)
class SyncStatus:
    """How the sync of a store stands."""

    running: bool
    """Whether links are made at all."""

    address: str | None
    """Where this replica listens."""

    policy: str | None
    """The name of the policy's class."""

    peers: tuple[PeerStatus, ...]
    """Linked ones first, then those that are wanted."""

    local: int
    """Operations written here while no peer was ever met."""

    pending: int
    """Operations written here that no peer has acknowledged yet."""

    synced: int
    """Operations written here that a peer has acknowledged to have on disk."""

    held: int
    """Operations that the policy holds back."""

    next_contact: datetime | None
    """When what is held leaves at the latest, in UTC; None when the policy holds nothing."""

    last_error: str | None
    """The last fault of this store or of the network's own."""

    refused: str | None = None
    """Who was called and does not let this replica in, and why: its invitation was taken back, say, or its membership
    has ended. None when nobody said so since the network was started, or somebody let it in."""

    counters: Mapping[str, int] = field(default_factory=dict)
    """What happened since the network was started."""


@dataclass(frozen=True)
class SyncReport:
    """What one exchange with another replica did."""

    url: str
    key: str
    """The other replica's public key in hex, proven."""

    role: str | None
    stored: int
    """Operations that came and are on disk."""

    sent_bytes: int
    received_bytes: int
    acknowledged: bool
    """Whether the other side has on disk all that was written here."""

    seconds: float


@dataclass(frozen=True)
class MergeReport:
    """What merging another store into this one did."""

    stored: int
    """Operations that are new here."""

    given: int
    """Operations that are new there; 0 for a bundle, which is only read."""

    refused: tuple[str, ...] = ()
    """What was unacceptable, with its code."""
