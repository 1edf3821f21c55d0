"""Pheromones: traces that agents leave for each other, by type, and that fade by themselves.

A trace loses half of its strength in each half-life; below the floor it has evaporated. Laying the same trace again
adds to what is left of it, as on an ants' trail: what many find stays, what nobody confirms goes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from chrysalis_memory.ghost.limits import STRENGTH_MAX, TEXT_CHARACTERS_MAX, TRACES_MAX, TYPES_MAX
from chrysalis_memory.ghost.names import checked_name, type_file, type_name
from chrysalis_memory.records import Duration, Record, duration_to_ms, from_ms, to_ms

if TYPE_CHECKING:
    from chrysalis_memory.ghost.files import GhostFiles
    from chrysalis_memory.ghost.staleness import Clock

__all__ = ["FLOOR", "HALF_LIFE_S", "Pheromone", "Pheromones", "checked_text"]

HALF_LIFE_S: Final = 6 * 3600.0
"""A warning is as good as gone after a day, in which it has halved four times."""

FLOOR: Final = 0.05
"""Weaker ones have evaporated. A trace of strength 1 lasts a little over four half-lives."""

ACTIVE: Final = "pheromones/active.json"
BY_TYPE: Final = "pheromones/by_type"


@dataclass(frozen=True, slots=True)
class Pheromone(Record):
    """One trace: its type in capitals, what it says, who left it, and how strong it was at that time."""

    type: str
    message: str
    agent: str
    strength: float
    at: datetime
    half_life_s: float = HALF_LIFE_S

    @property
    def id(self) -> str:
        """Equal for traces that say the same: type, message and agent."""
        words = "\0".join((self.type, self.message, self.agent))
        return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def strength_at(self, now: datetime) -> float:
        """What is left of it; a clock that went back makes nothing stronger.

        >>> trace = Pheromone("WARNING", "thin ice", "ada", 1.0, from_ms(0), half_life_s=60.0)
        >>> trace.strength_at(from_ms(120_000))
        0.25
        """
        age_s = max(0.0, (now - self.at).total_seconds())
        return float(self.strength * 0.5 ** (age_s / self.half_life_s))

    def as_of(self, now: datetime) -> Pheromone:
        """The same trace as it is now."""
        return replace(self, strength=self.strength_at(now), at=max(now, self.at))


class Pheromones:
    """All traces of one ghost; a file for each type, and `active.json`, which says what is in the air."""

    def __init__(self, files: GhostFiles, clock: Clock) -> None:
        self._files = files
        self._clock = clock

    def deposit(
        self,
        type: str,
        message: str,
        *,
        agent: str = "agent",
        strength: float = 1.0,
        half_life: Duration = HALF_LIFE_S,
    ) -> Pheromone:
        """Leaves a trace, or strengthens the same one; returns it as it is now.

        `half_life` is a timedelta or seconds. Of very many traces of one type, or types, the weakest make room.
        Raises `ValueError` or `TypeError` for arguments, and `StoreError` when the folder does not take it.
        """
        now = self._clock()
        trace = Pheromone(
            type_name(type),
            checked_text("the message", message),
            checked_name("the agent", agent),
            _strength(strength),
            now,
            duration_to_ms(half_life) / 1000,
        )
        with self._files.locked():
            before = {one.id: one for one in self._load(trace.type, now)}
            if (known := before.get(trace.id)) is not None:
                trace = replace(trace, strength=min(STRENGTH_MAX, trace.strength + known.strength_at(now)))
            self._store(trace.type, (before | {trace.id: trace}).values(), now)
            self._refresh(now)
        return trace

    def sniff(self, type: str | None = None) -> list[Pheromone]:
        """The traces of one type, or of all, as strong as they are now, strongest first. Writes nothing."""
        now = self._clock()
        by_type = self._all(now) if type is None else {"": self._load(type_name(type), now)}
        return sorted((trace.as_of(now) for traces in by_type.values() for trace in traces), key=_strongest)

    def strengths(self) -> dict[str, float]:
        """How strong each type is now, all its traces together; strongest first.

        >>> from chrysalis_memory.ghost import GhostCache
        >>> import tempfile
        >>> air = GhostCache(tempfile.mkdtemp(), now=lambda: from_ms(0)).pheromones
        >>> trace = air.deposit("warning", "the sill is dry", strength=0.5)
        >>> air.strengths()
        {'WARNING': 0.5}
        """
        now = self._clock()
        return _totals({kind: traces for kind, traces in self._all(now).items() if traces}, now)

    def evaporate(self) -> int:
        """Takes away what has faded from the files; returns how many traces are left."""
        now = self._clock()
        with self._files.locked():
            for kind, traces in self._all(now).items():
                if traces:
                    self._store(kind, traces, now)
                else:
                    self._files.remove(_place(kind))
            return self._refresh(now)

    def types(self) -> list[str]:
        """The types that are in the air now, in order."""
        return sorted(kind for kind, traces in self._all(self._clock()).items() if traces)

    def _all(self, now: datetime) -> dict[str, list[Pheromone]]:
        """What each type's file still holds now."""
        found = {}
        for name in self._files.names(BY_TYPE):
            place = f"{BY_TYPE}/{name}"
            kept = self._files.read(place, _check)
            if kept is not None and _place(kept.data["type"]) == place:
                found[kept.data["type"]] = _left(kept.data, now)
        return found

    def _load(self, type: str, now: datetime) -> list[Pheromone]:
        kept = self._files.read(_place(type), _check)
        return _left(kept.data, now) if kept is not None and kept.data["type"] == type else []

    def _store(self, type: str, traces: Iterable[Pheromone], now: datetime) -> None:
        strongest = sorted((trace.as_of(now) for trace in traces), key=_strongest)[:TRACES_MAX]
        self._files.write(_place(type), {"type": type, "traces": [trace.to_dict() for trace in strongest]}, now)

    def _refresh(self, now: datetime) -> int:
        """Writes what is in the air, and lets the weakest of too many types go; returns how many traces there are."""
        by_type = self._all(now)
        totals = _totals(by_type, now)
        for kind in list(totals)[TYPES_MAX:]:
            self._files.remove(_place(kind))
        active = {
            kind: {"file": _place(kind), "traces": len(by_type[kind]), "strength": total}
            for kind, total in list(totals.items())[:TYPES_MAX]
            if by_type[kind]
        }
        self._files.write(ACTIVE, active, now)
        return sum(len(by_type[kind]) for kind in active)


def _left(data: dict[str, Any], now: datetime) -> list[Pheromone]:
    return [trace for trace in _traces(data) if trace.strength_at(now) >= FLOOR]


def _totals(by_type: Mapping[str, list[Pheromone]], now: datetime) -> dict[str, float]:
    totals = {kind: sum(trace.strength_at(now) for trace in traces) for kind, traces in by_type.items()}
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def checked_text(what: str, text: object) -> str:
    """Text of a bounded length; raises `TypeError` or `ValueError`."""
    if not isinstance(text, str):
        raise TypeError(f"{what} is text, not {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"{what} is empty")
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"{what} has {len(text)} characters; at most {TEXT_CHARACTERS_MAX} are allowed")
    return str(text)


def _strength(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"the strength is a number, not {type(value).__name__}")
    if not FLOOR <= value <= STRENGTH_MAX:
        raise ValueError(f"the strength is {str(value)[:20]}; it must lie between {FLOOR} and {STRENGTH_MAX:g}")
    return float(value)


def _strongest(trace: Pheromone) -> tuple[float, str, str]:
    return (-trace.strength, trace.type, trace.id)


def _place(type: str) -> str:
    return f"{BY_TYPE}/{type_file(type)}.json"


def _check(data: Any) -> None:
    if not isinstance(data, dict) or not isinstance(data.get("traces"), list):
        raise ValueError("it is no list of pheromones")
    if len(data["traces"]) > TRACES_MAX or type_name(data.get("type")) != data["type"]:
        raise ValueError("it is no list of pheromones of one type")
    _traces(data)


def _traces(data: dict[str, Any]) -> list[Pheromone]:
    return [_trace(data["type"], found) for found in data["traces"]]


def _trace(type: str, found: Any) -> Pheromone:
    try:
        half_life_s = float(found["half_life_s"])
        if not (math.isfinite(half_life_s) and half_life_s > 0):
            raise ValueError("a half-life is greater than zero")
        return Pheromone(
            type,
            checked_text("the message", found["message"]),
            checked_name("the agent", found["agent"]),
            _strength(found["strength"]),
            from_ms(to_ms(str(found["at"]))),
            half_life_s,
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"a pheromone is not as it was written: {error}") from None
