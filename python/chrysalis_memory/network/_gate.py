"""The gate: who may open a connection now. Counts before a byte was read, so that strangers cost little."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from typing import Final

__all__ = ["Gate"]

_SOURCES_MAX: Final = 10_000
_V6_SITE_BITS: Final = 64


class Gate:
    """Bounds on connections: in all, from one source, and new ones of one source in a second.

    A source is an IPv4 address, or the first 64 bits of an IPv6 address: whoever has one of those has all of them.

    >>> gate = Gate(links_max=10, links_per_source_max=1, arrivals_per_s=100)
    >>> gate.enter("192.0.2.1", 0.0), gate.enter("192.0.2.1", 0.0), gate.enter("192.0.2.2", 0.0)
    (None, 'too_many_of_source', None)
    >>> gate.leave("192.0.2.1"), gate.enter("192.0.2.1", 0.0)
    (None, None)
    """

    def __init__(self, *, links_max: int, links_per_source_max: int, arrivals_per_s: float) -> None:
        self._links_max = links_max
        self._of_source_max = links_per_source_max
        self._per_s = arrivals_per_s
        self._open: Counter[str] = Counter()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.refused: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """Connections that entered and have not left."""
        return self._open.total() if hasattr(self._open, "total") else sum(self._open.values())

    def enter(self, host: str, now_s: float) -> str | None:
        """None when it may come in, which counts it until `leave`; otherwise the code of the reason."""
        source = _source(host)
        reason = self._reason(source, now_s)
        if reason is None:
            self._open[source] += 1
        else:
            self.refused[reason] += 1
        return reason

    def leave(self, host: str) -> None:
        """A connection that had entered is gone."""
        source = _source(host)
        self._open[source] -= 1
        if self._open[source] <= 0:
            del self._open[source]

    def _reason(self, source: str, now_s: float) -> str | None:
        if not self._take(source, now_s):
            return "too_fast"
        if self.open >= self._links_max:
            return "too_many"
        return "too_many_of_source" if self._open[source] >= self._of_source_max else None

    def _take(self, source: str, now_s: float) -> bool:
        # A bucket that holds a second's worth of arrivals, and never less than one.
        burst = max(1.0, self._per_s)
        left, at_s = self._left.pop(source, (burst, now_s))
        left = min(burst, left + max(0.0, now_s - at_s) * self._per_s)
        self._left[source] = (left - 1 if left >= 1 else left, now_s)
        while len(self._left) > _SOURCES_MAX:
            self._left.popitem(last=False)
        return left >= 1


def _source(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _V6_SITE_BITS), strict=False))
