"""Addresses of replicas that listen, and what may be reached or served there.

`ws://host:port` is plain, `wss://host:port` is TLS. Plain text beyond this machine must be asked for in as many words:
whoever carries the packets could read every memory.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["ADDRESS_BYTES_MAX", "Address", "Listen", "is_loopback", "read_address", "read_listen"]

ADDRESS_BYTES_MAX: Final = 256
"""Bytes of an address; the core holds to the same bound."""

PORT: Final = 4444
"""Where a hub listens unless it is told otherwise."""

_PORT_MAX: Final = 65535
_KEY_HEX: Final = 64


@dataclass(frozen=True)
class Address:
    """Where a replica listens.

    >>> read_address("wss://hub.example").url
    'wss://hub.example:4444'
    """

    host: str
    port: int
    tls: bool
    path: str = ""
    key: str | None = None
    """Hex of the one key that is believed there, if it was given."""

    @property
    def url(self) -> str:
        """The address as text, always with its port."""
        return f"{'wss' if self.tls else 'ws'}://{_bracketed(self.host)}:{self.port}{self.path}"


@dataclass(frozen=True)
class Listen:
    """Where to listen: host and port; port 0 is one that is free."""

    host: str
    port: int


def read_address(text: str, *, allow_plain: bool = False) -> Address:
    """The address that a text names. Raises `ValueError` for what is none, and for plain text beyond this machine
    unless `allow_plain`.

    The key of the replica there may follow after `#`: then no other is believed, and it may be a relay without a role.

    >>> read_address("ws://127.0.0.1:9000").port
    9000
    >>> read_address("ws://hub.example")
    Traceback (most recent call last):
        ...
    ValueError: ws://hub.example is plain text beyond this machine: use wss://, or say allow_plain
    """
    if not isinstance(text, str):
        raise TypeError(f"an address is text, not {type(text).__name__}")
    if not text.isascii() or not text.isprintable() or len(text) > ADDRESS_BYTES_MAX or " " in text:
        raise ValueError(f"{text[:ADDRESS_BYTES_MAX]!r} is no address: plain letters, {ADDRESS_BYTES_MAX} at most")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is no address: {error}") from None
    if parts.scheme not in {"ws", "wss"} or not host:
        raise ValueError(f"{text!r} is no address: ws://host:port or wss://host:port")
    if parts.username is not None or parts.query or port == 0:
        raise ValueError(f"{text!r} is no address: it holds host, port, path and key alone")
    key = _key(parts.fragment) if parts.fragment else None
    address = Address(host, PORT if port is None else port, parts.scheme == "wss", parts.path.rstrip("/"), key)
    if not (address.tls or allow_plain or is_loopback(host)):
        raise ValueError(f"{text} is plain text beyond this machine: use wss://, or say allow_plain")
    return address


def read_listen(text: str) -> Listen:
    """The place to listen that `host:port` names. Raises `ValueError`.

    >>> read_listen("127.0.0.1:0"), read_listen("[::1]:4444").host
    (Listen(host='127.0.0.1', port=0), '::1')
    """
    if not isinstance(text, str):
        raise TypeError(f"listen is text, host:port, not {type(text).__name__}")
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= _PORT_MAX) or "/" in host:
        raise ValueError(f"{text!r} is no place to listen: host:port, and port 0 for one that is free")
    return Listen(host, int(port))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it. A name counts only if it is `localhost`: others may change.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("hub.example")
    (True, True, False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # How an IPv6 socket names a caller over IPv4; older Pythons do not look into it.
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_unspecified(host: str) -> bool:
    """Whether it stands for every interface of the machine, so that nobody can call it by this name."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def _key(text: str) -> str:
    if len(text) != _KEY_HEX or not all(letter in "0123456789abcdef" for letter in text):
        raise ValueError(f"{text!r} is no key of a replica: {_KEY_HEX} hex characters")
    return text


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
