"""Settings of a hub, as plain data. Where they come from is the business of `sources`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chrysalis_memory._settings import check_settings
from chrysalis_memory.network.addresses import is_loopback

__all__ = ["RIGHTS", "HubSettings"]

RIGHTS: Final = ("none", "read", "write", "admin")
"""What a caller may do over HTTP; each includes those before it."""

_MAY_BE_ZERO = {"port", "http_port", "disk_free_bytes_min"}
_PORT_MAX = 65535


@dataclass(frozen=True, kw_only=True)
class HubSettings:
    """How one hub listens, and what it lets others take from it.

    Units stand last in the names: `_s` seconds, `_bytes` bytes. Every bound is there because whoever reaches the port
    may be hostile.

    >>> HubSettings(http_port=0).http_port
    0
    >>> HubSettings(host="0.0.0.0")
    Traceback (most recent call last):
        ...
    ValueError: 0.0.0.0 is reached from beyond this machine, and there is no TLS; give tls_cert and tls_key, or say serve_without_tls_beyond_loopback
    """  # noqa: E501 - a message stands on one line

    host: str = "127.0.0.1"
    """Address to listen on. This machine alone: what others may reach must be said."""

    port: int = 4444
    """Port of links between replicas (WebSocket); 0: one that is free."""

    http_port: int = 8082
    """Port of health, figures and the JSON interface; 0: one that is free."""

    tls_cert: str | None = None
    """File with the certificate chain in PEM, for both ports."""

    tls_key: str | None = None
    """File with the certificate's key in PEM."""

    space: str | None = None
    """Name of the space that is founded at the first start. None: the one that the store keeps, and `default` for a
    new one."""

    open_space: bool = False
    """Keep an open space, in which whoever knows its name is a member. Only for machines that nobody else reaches."""

    embedder: str = "auto"
    """Embedding model for recall over HTTP; `none` finds by words alone."""

    serve_open_space_beyond_loopback: bool = False
    """Said in as many words: anybody who reaches the port may read and write everything."""

    serve_without_tls_beyond_loopback: bool = False
    """Said in as many words: who stands on the way can read along. Right behind a proxy that ends TLS, or in a
    network of containers."""

    loopback_right: str = "none"
    """What callers from this very machine may do without an access token: `none`, `read`, `write` or `admin`. None:
    any program and any user of the machine could call."""

    open_metrics: bool = False
    """Whether /metrics needs no access token. It names keys of replicas and counts, never words."""

    announce: str | None = None
    """The address that others are told to call (`wss://host:port`), where it differs from the one listened on: behind
    a router or a proxy, or when every interface is listened on."""

    links_max: int = 2_000
    """Links at a time. A thousand agents, each with one to spare while it comes back."""

    links_per_source_max: int = 1_200
    """Links from one network address: many agents may sit behind one, none may take all."""

    handshakes_max: int = 256
    """Links whose other side has not yet proven who it is: what strangers can hold."""

    arrivals_per_s: float = 200.0
    """New links a second from one address. A thousand agents behind one come back within seconds. Where the hub's own
    TLS serves HTTP, it holds for new connections there as well: a handshake costs more than a request."""

    open_timeout_s: float = 10.0
    """How long a link may take to come up, TLS included, and TLS on the port of HTTP. Longer would let silence fill the
    hub."""

    write_timeout_s: float = 30.0
    """How long a reader may take nothing of what is to be sent before its link is closed. It catches up later."""

    silence_s: float = 60.0
    """How long a link may be silent, a question whether it is there unanswered, until it counts as broken: an agent
    that lost its power or its route must not hold a place for ever."""

    http_connections_max: int = 512
    """HTTP connections at a time; further ones are answered 503, and those far beyond are cut off before TLS begins."""

    http_requests_max: int = 64
    """HTTP requests at work or waiting for a thread; further ones are answered 503 at once rather than late."""

    http_threads: int = 4
    """Threads that answer HTTP requests. They share one store, so more would only wait for each other."""

    body_bytes_max: int = 1 << 20
    """Most bytes of the body of a request: somewhat more than the largest memory."""

    query_bytes_max: int = 8 << 10
    """Most bytes of a path and query. Long questions go into the body of a recall."""

    request_timeout_s: float = 30.0
    """How long one request may take, its body and its answer included."""

    header_timeout_s: float = 10.0
    """How long a connection may take to say what it wants."""

    requests_per_s: float = 100.0
    """Requests a second of one access token, or of one address without."""

    requests_burst: int = 200
    """So many may come at once before that rate holds."""

    wrong_tokens_per_minute: float = 20.0
    """Wrong access tokens a minute from one address; then it waits. Guessing 256 bits is hopeless anyway: this keeps
    the log short."""

    audit_bytes_max: int = 16 << 20
    """Bytes of one file of the audit log before the next one begins."""

    audit_files_max: int = 8
    """Files of the audit log that are kept; the oldest goes."""

    disk_free_bytes_min: int = 64 << 20
    """Below so much free room the hub calls itself unwell, while there is still room to end in good order."""

    probe_interval_s: float = 5.0
    """Health writes to the disk at most this often, however often it is asked."""

    sync_stall_s: float = 15.0
    """A loop of links that has not turned for so long is called dead. It turns several times a second."""

    def __post_init__(self) -> None:
        check_settings(self, may_be_zero=_MAY_BE_ZERO)
        for name in ("port", "http_port"):
            if getattr(self, name) > _PORT_MAX:
                raise ValueError(f"{name} is {getattr(self, name)}; ports end at {_PORT_MAX}")
        if self.loopback_right not in RIGHTS:
            raise ValueError(f"loopback_right is {self.loopback_right!r}; it must be one of {', '.join(RIGHTS)}")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together: give both, or neither")
        if not is_loopback(self.host):
            self._check_reach()

    def _check_reach(self) -> None:
        if self.open_space and not self.serve_open_space_beyond_loopback:
            raise ValueError(
                f"{self.host} is reached from beyond this machine, and an open space lets everybody in; keep it "
                "closed, or say serve_open_space_beyond_loopback"
            )
        if self.tls_cert is None and not self.serve_without_tls_beyond_loopback:
            raise ValueError(
                f"{self.host} is reached from beyond this machine, and there is no TLS; give tls_cert and tls_key, "
                "or say serve_without_tls_beyond_loopback"
            )
