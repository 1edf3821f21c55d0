"""How news reaches many replicas, and what they come to believe, simulated with the machines that replicas run.

>>> from chrysalis_memory.simulation import simulate
>>> told = simulate(100, loss=0.1, seed=7)
>>> told.complete, told.max_rounds <= 15
(1, True)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from chrysalis_memory import _core

__all__ = ["Believed", "Mode", "Progress", "Propagation", "simulate", "simulate_liars"]

Mode = Literal["gossip", "nodes", "push", "push-pull"]
"""How news travels: by the machines of gossip, by whole nodes, or in the formula's own world."""


@dataclass(frozen=True)
class Propagation:
    """Rounds until everyone had a memory, over one seed or many."""

    replicas: int
    """How many replicas."""
    seeds: int
    """How many runs."""
    complete: int
    """In how many of them everyone had it in the end."""
    mean_rounds: float
    """Rounds until everyone had it, on average over those; a round is half a second unless configured otherwise."""
    p99_rounds: int
    """The 99th percentile, over those."""
    max_rounds: int
    """The most, over those."""
    formula_rounds: float
    """What the formula says, without loss: see `rounds_estimate`."""
    shares: tuple[float, ...]
    """The share of replicas that had it when it was written and after each round, on average; 0 to 1."""
    copies: float | None
    """Times that it was sent, per replica; `None` where nobody counts it: whole nodes."""
    links: float | None
    """Links per replica; `None` where everyone can call everyone."""

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Believed:
    """What can be read of a shared confidence after a round, each 0 to 1."""

    trimmed_mean: float
    """Without the outer thirds: what a space set to `robust` reads."""
    median: float
    """The opinion in the middle."""
    mean: float
    """The mean of all opinions."""
    maximum: float
    """The greatest opinion: what any other space reads."""

    def to_dict(self) -> dict[str, float]:
        """Everything as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """How far a simulation is, after a round of it."""

    run: int
    """The number of the run, from 1 on."""
    rounds: int
    """Rounds of it that are over, also those in which replicas find each other."""
    share: float | None
    """The share of replicas that has the memory, 0 to 1; `None` before it is written."""


def simulate(
    replicas: int,
    *,
    fanout: int = 3,
    loss: float = 0.0,
    mode: Mode = "gossip",
    seed: int = 1,
    seeds: int = 1,
    watch: Callable[[Progress], object] | None = None,
) -> Propagation:
    """Let one of many replicas remember something, and follow it until everyone has it.

    `loss` is the share of messages that never arrive, 0 to 1. `mode` "gossip" runs the machines of gossip with their
    links and partial views, and lets a message travel for a whole round; "nodes" runs all that replicas say to each
    other over links with delays of 10 to 60 ms, on which a lost frame is sent again; "push" and "push-pull" call anyone
    at random, as the formula assumes. Every replica takes the memory through admission. The same seed gives the same
    figures; `seeds` runs, from `seed` on, are averaged. By gossip a thousand replicas take about a second, a hundred
    thousand some minutes, and 4 GB. `watch` is called after each round.

    Raises `ValueError` unless there are 2 to 200,000 replicas, a fanout of 1 or more and a loss of 0 to 1; and whatever
    `watch` raises, which ends the simulation.

    >>> told: list[Progress] = []
    >>> simulate(50, mode="push-pull", watch=told.append).max_rounds == told[-1].rounds, told[-1].share
    (True, 1.0)
    """

    def pass_on(run: int, rounds: int, share: float | None) -> None:
        if watch is not None:
            watch(Progress(run, rounds, share))

    told = _core.simulate(replicas, fanout, loss, mode, seed, seeds, pass_on)
    return Propagation(
        replicas=told["replicas"],
        seeds=told["seeds"],
        complete=told["complete"],
        mean_rounds=told["mean"],
        p99_rounds=told["p99"],
        max_rounds=told["max"],
        formula_rounds=told["formula"],
        shares=tuple(told["shares"]),
        copies=told["copies"],
        links=told["links"],
    )


def simulate_liars(
    agents: int, share: float, *, truth: float = 0.6, tries: int = 20, rounds: int = 20, seed: int = 1
) -> list[Believed]:
    """Let agents come to believe how often something succeeds, while some of them lie.

    It succeeds with the probability `truth`. In every round each honest agent tries it `tries` times and writes down
    the share of all its successes as its confidence in one shared memory; each liar, `share` of all, writes 1. One
    item for each round.

    Raises `ValueError` unless there are 1 to 200,000 agents and both shares are 0 to 1.

    >>> last = simulate_liars(100, 0.33, truth=0.6, rounds=40)[-1]
    >>> abs(last.trimmed_mean - 0.6) < 0.03, last.mean > 0.7, last.maximum
    (True, True, 1.0)
    """
    return [Believed(*read) for read in _core.simulate_liars(agents, share, truth, tries, rounds, seed)]
