"""Proposals of agents: those that wait for a decision, and those that were rejected, with the reason.

An accepted proposal leaves the ghost: whoever accepts it acts on it, and remembers it where memories are.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from chrysalis_memory.errors import NotFound, TooLarge
from chrysalis_memory.ghost.limits import PROPOSALS_MAX
from chrysalis_memory.ghost.names import checked_name
from chrysalis_memory.ghost.pheromones import checked_text
from chrysalis_memory.records import Record, from_ms, to_ms

if TYPE_CHECKING:
    from chrysalis_memory.ghost.files import GhostFiles
    from chrysalis_memory.ghost.staleness import Clock

__all__ = ["Proposal", "Proposals"]

PENDING: Final = "proposals/pending.json"
REJECTED: Final = "proposals/rejected.json"

_DETAILS_CHARACTERS_MAX: Final = 2000
"""Of the details as JSON."""


@dataclass(frozen=True, slots=True)
class Proposal(Record):
    """What an agent proposes; once it was rejected also why, by whom and when."""

    id: str
    text: str
    agent: str
    at: datetime
    details: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    rejected_by: str | None = None
    rejected_at: datetime | None = None


class Proposals:
    """The proposals of one ghost.

    >>> from chrysalis_memory.ghost import GhostCache
    >>> import tempfile
    >>> proposals = GhostCache(tempfile.mkdtemp()).proposals
    >>> first = proposals.propose("move the release to Friday", agent="ada")
    >>> proposals.reject(first.id, "the crane is booked", agent="bo").reason
    'the crane is booked'
    >>> proposals.pending(), [one.text for one in proposals.rejected()]
    ([], ['move the release to Friday'])
    """

    def __init__(self, files: GhostFiles, clock: Clock) -> None:
        self._files = files
        self._clock = clock

    def propose(self, text: str, *, agent: str = "agent", details: dict[str, Any] | None = None) -> Proposal:
        """Puts a proposal before the others, with any JSON object as details.

        Raises `ValueError` or `TypeError` for arguments, and `TooLarge` once very many wait.
        """
        now = self._clock()
        said = checked_text("the proposal", text)
        made = Proposal(secrets.token_hex(8), said, checked_name("the agent", agent), now, _details(details))
        with self._files.locked():
            waiting = self._pending()
            if len(waiting) >= PROPOSALS_MAX:
                raise TooLarge(
                    f"{len(waiting)} proposals wait already",
                    hint="Accept or reject some of them first.",
                    size=len(waiting) + 1,
                    limit=PROPOSALS_MAX,
                )
            self._store(PENDING, [*waiting, made], now)
        return made

    def pending(self) -> list[Proposal]:
        """Those that wait, oldest first."""
        return self._pending()

    def rejected(self) -> list[Proposal]:
        """Those that were rejected last, oldest first."""
        return self._load(REJECTED)

    def accept(self, id: str) -> Proposal:
        """Takes a proposal from those that wait, and returns it. Of several that accept it at once one succeeds.

        Raises `NotFound` if it does not wait any more, or never did.
        """
        with self._files.locked():
            waiting = self._pending()
            chosen = _chosen(waiting, id)
            self._store(PENDING, [one for one in waiting if one.id != id], self._clock())
        return chosen

    def reject(self, id: str, reason: str, *, agent: str = "agent") -> Proposal:
        """Moves a proposal to the rejected ones; returns it with the reason. Raises `NotFound`."""
        why, who, now = checked_text("the reason", reason), checked_name("the agent", agent), self._clock()
        with self._files.locked():
            waiting = self._pending()
            one = _chosen(waiting, id)
            refused = Proposal(one.id, one.text, one.agent, one.at, one.details, why, who, now)
            # In this order: if the process ends between the two, it is read as rejected, and in no case lost.
            self._store(REJECTED, [*self.rejected(), refused][-PROPOSALS_MAX:], now)
            self._store(PENDING, [other for other in waiting if other.id != id], now)
        return refused

    def _pending(self) -> list[Proposal]:
        decided = {one.id for one in self.rejected()}
        return [one for one in self._load(PENDING) if one.id not in decided]

    def _load(self, place: str) -> list[Proposal]:
        kept = self._files.read(place, _check)
        return [] if kept is None else _proposals(kept.data)

    def _store(self, place: str, proposals: list[Proposal], now: datetime) -> None:
        self._files.write(place, {"proposals": [one.to_dict() for one in proposals]}, now)


def _chosen(waiting: list[Proposal], id: str) -> Proposal:
    for one in waiting:
        if one.id == id:
            return one
    raise NotFound(f"no proposal {id!r} waits", hint="List them with `chrysalis ghost show proposals`.", id=id)


def _details(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"details are a dict, not {type(value).__name__}")
    try:
        length = len(json.dumps(value, allow_nan=False))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"details are no JSON: {error}") from None
    if length > _DETAILS_CHARACTERS_MAX:
        raise ValueError(f"details have {length} characters as JSON; at most {_DETAILS_CHARACTERS_MAX} are allowed")
    return dict(value)


def _check(data: Any) -> None:
    found = data.get("proposals") if isinstance(data, dict) else None
    if not isinstance(found, list) or len(found) > PROPOSALS_MAX:
        raise ValueError("it is no list of proposals")
    _proposals(data)


def _proposals(data: dict[str, Any]) -> list[Proposal]:
    return [_proposal(found) for found in data["proposals"]]


def _proposal(found: Any) -> Proposal:
    try:
        rejected_at = found.get("rejected_at")
        return Proposal(
            checked_name("the id", found["id"]),
            checked_text("the proposal", found["text"]),
            checked_name("the agent", found["agent"]),
            from_ms(to_ms(str(found["at"]))),
            _details(found.get("details")),
            None if found.get("reason") is None else checked_text("the reason", found["reason"]),
            None if found.get("rejected_by") is None else checked_name("the agent", found["rejected_by"]),
            None if rejected_at is None else from_ms(to_ms(str(rejected_at))),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"a proposal is not as it was written: {error}") from None
