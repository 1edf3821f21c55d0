"""TLS: contexts for listening and for dialing. Links are TLS 1.3 alone: both ends are ours."""

from __future__ import annotations

import ssl

__all__ = ["dialing", "listening"]


def listening(certificate: str, key: str | None, least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """For a server with this certificate chain and key, both PEM files. Raises `OSError` (which `ssl.SSLError` is)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = least
    context.load_cert_chain(certificate, key)
    return context


def dialing(authorities: str | None) -> ssl.SSLContext:
    """For a client that trusts the authorities in this PEM file, or those of the system, and checks the host's name."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
