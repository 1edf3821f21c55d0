"""One exchange, until both replicas hold the same: what its events come to, and how it goes within one process."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from time import monotonic, sleep
from typing import Any, Final

from chrysalis_memory._core import Node, Replica
from chrysalis_memory.errors import LinkClosed, LinkError, LinkTimeout, NotAllowed, PeerMisbehaved
from chrysalis_memory.network._time import now_ms

__all__ = ["AT_ONCE", "Agreement", "join"]

_PAUSE_S: Final = 0.005  # neither has anything to say before some time of its own has come

AT_ONCE: Final[dict[str, Any]] = {"notes_ms": 1}
"""Settings of a node that does not live long: acknowledgements are written down without waiting for company."""

# The other side's reasons to end a link, as errors of ours.
_HINTS: Final = {
    "not_allowed": "Ask an administrator for a new token, and join again by it: what was said here comes along.",
    "wrong_space": "Look at the address: another space is kept there.",
    "too_many": "Try again when others have hung up.",
}


class Agreement:
    """What the events of one exchange come to."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.role: str | None = None
        self.stored = 0
        self.agreed = False
        self.closed: tuple[str, str] | None = None
        self.refused: list[str] = []

    def heard(self, name: str, facts: Mapping[str, Any]) -> None:
        """An event of the node."""
        if name == "ready":
            self.key, self.role = facts["key"], facts["role"]
        elif name == "stored":
            self.stored += facts["count"]
        elif name == "agreed":
            self.agreed = True
        elif name == "refused":
            self.refused.append(facts["code"])
        elif name == "closed":
            self.closed = (facts["code"], facts["why"])

    def error(self, where: str) -> LinkError | NotAllowed:
        """Why it came to no agreement."""
        code, why = self.closed or ("closed", "the connection ended")
        said = f"{where} ended the exchange: {why}"
        if code in _HINTS:
            return NotAllowed(said, code=code, hint=_HINTS[code])
        if code in {"closed", "lost", "bye"}:
            return LinkClosed(said, url=where)
        return PeerMisbehaved(said, code=code, url=where)


class _Side:
    def __init__(self, replica: Replica, dials: bool) -> None:
        self.node = Node(replica, AT_ONCE, secrets.randbits(64))
        self.agreement = Agreement()
        self.node.opened(1, secrets.token_bytes(32), "ws://127.0.0.1:1" if dials else None, None, now_ms())

    def step(self, give: Callable[[bytes], None]) -> bool:
        """One step; frames go to the other side. Returns whether there was anything to do."""
        effects = self.node.step(now_ms())
        for kind, *facts in effects:
            if kind == "send":
                give(facts[1])
            elif kind == "event":
                self.agreement.heard(*facts)
            elif kind == "fault":
                raise facts[0]
        return bool(effects)


def _is_noted(one: Replica, other: Replica) -> bool:
    """Whether each has written down that the other has all of it."""
    return one.unsent(other.public_key) == 0 and other.unsent(one.public_key) == 0


def join(one: Replica, other: Replica, *, timeout_s: float) -> tuple[Agreement, Agreement]:
    """Exchanges between two replicas of this process until both hold the same: the same words as over a network, and so
    the same checks. Raises `NotAllowed`, `LinkError`, `LinkTimeout`, and the stores' faults.
    """
    near, far = _Side(one, dials=True), _Side(other, dials=False)
    deadline = monotonic() + timeout_s
    while not (near.agreement.agreed and far.agreement.agreed and _is_noted(one, other)):
        busy = near.step(lambda frame: far.node.received(1, frame))
        busy = far.step(lambda frame: near.node.received(1, frame)) or busy
        for side in (near, far):
            if side.agreement.closed is not None:
                raise side.agreement.error("the other store")
        if monotonic() > deadline:
            raise LinkTimeout(f"the stores did not come to agree within {timeout_s:g} s")
        if not busy:
            sleep(_PAUSE_S)
    return near.agreement, far.agreement
