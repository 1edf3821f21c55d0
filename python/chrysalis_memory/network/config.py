"""Settings of links and gossip, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from chrysalis_memory._settings import check_settings
from chrysalis_memory.network.addresses import read_address

__all__ = ["GossipConfig", "SyncConfig"]


@dataclass(frozen=True, kw_only=True)
class GossipConfig:
    """How news spreads from replica to replica. Units stand last in the names.

    >>> GossipConfig().fanout, GossipConfig(fanout=5).interval_ms
    (3, 500)
    """

    fanout: int | None = 3
    """Peers that are told at once of something new, chosen anew each time. Three reach a thousand replicas in six
    rounds: see `rounds_estimate`. None: everyone who is linked, as a hub does."""

    interval_ms: int = 500
    """Milliseconds of a round: while news spreads, that long between two comparisons."""

    anti_entropy_ms: int = 5_000
    """Longest time between two comparisons with a random peer. What was lost on the way is found by them."""

    revive_ms: int = 30_000
    """Milliseconds between calls of a peer that is believed dead. Without them a split network would stay split."""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True, kw_only=True)
class SyncConfig:
    """How a store is linked to others: TLS, and the bounds that strangers and slow lines are held to.

    >>> SyncConfig(tls_certificate="hub.pem", tls_key="hub.key").links_max
    256
    >>> SyncConfig(tls_key="hub.key")
    Traceback (most recent call last):
        ...
    ValueError: tls_key without tls_certificate
    """

    tls_certificate: str | None = None
    """PEM file with the certificate chain of a replica that listens; with it, links to it are TLS."""

    tls_key: str | None = None
    """PEM file with the certificate's key; None: it is in the same file."""

    tls_authorities: str | None = None
    """PEM file with the authorities that are believed when dialing; None: those of the system."""

    announce: str | None = None
    """The address that others are told to dial, where it differs from the one listened on: behind a router or a proxy,
    or when every interface is listened on."""

    allow_plain: bool = False
    """Said in as many words: links beyond this machine without TLS. Whoever carries the packets reads every memory."""

    allow_open: bool = False
    """Said in as many words: an open space is served beyond this machine. Whoever reaches the port reads and writes."""

    links_max: int = 256
    """Links at once, both ways. Above, whoever calls is turned away. A hub sets more."""

    links_per_source_max: int = 64
    """Connections at once from one address (one /64 of IPv6), so that one stranger cannot take all."""

    handshakes_max: int = 64
    """Links at once whose other side has not yet proven who it is: what strangers can hold."""

    arrivals_per_s: float = 50.0
    """New connections in a second from one address. An honest agent needs one."""

    open_timeout_s: float = 10.0
    """How long a connection may take to come up, TLS included."""

    write_timeout_s: float = 30.0
    """How long a reader may take nothing of what is to be sent before its link is closed. It catches up later."""

    write_bytes_max: int = 8 << 20
    """Bytes to be sent that wait for one slow reader. Its window bounds them to about 2 MiB; more means that it asks
    without reading."""

    silence_s: float = 60.0
    """How long a link may be silent, a question whether it is there unanswered, until it counts as broken: notices
    a peer that lost its power or its route."""

    watch_interval_ms: int = 25
    """How often the store is looked at for what other processes wrote. Looking costs one read of a counter; what this
    process writes is sent at once."""

    gossip: GossipConfig = field(default_factory=GossipConfig)
    """How news spreads."""

    def __post_init__(self) -> None:
        if self.tls_key is not None and self.tls_certificate is None:
            raise ValueError("tls_key without tls_certificate")
        if self.announce is not None:
            read_address(self.announce, allow_plain=True)
        check_settings(self)
