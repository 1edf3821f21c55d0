"""How many rounds news takes, by the core's formulas."""

from __future__ import annotations

from typing import Literal

from chrysalis_memory import _core

__all__ = ["rounds_estimate"]


def rounds_estimate(replicas: int, fanout: int = 3, *, mode: Literal["push", "push_pull"] = "push_pull") -> float:
    """Rounds of `GossipConfig.interval_ms` until all of so many replicas know what one of them wrote: an average; the
    99th percentile lies about one round above.

    Push: log_(1+k) N + (ln N) / k + 1. Push-pull: log_(1+2k) N + log_(1+k)(ln N) + 1. After Frieze and Grimmett 1985,
    Pittel 1987 and Karp et al. 2000.

    >>> round(rounds_estimate(1000), 1), round(rounds_estimate(1000, mode="push"), 1)
    (5.9, 8.3)
    """
    if replicas < 0 or fanout < 1:
        raise ValueError(f"{replicas} replicas with a fanout of {fanout}: at least 0 and 1")
    return _core.rounds_estimate(replicas, fanout, mode)
