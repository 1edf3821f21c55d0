"""The pace of a policy: what is held, when it leaves, and when others are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from chrysalis_memory._core import Node, Replica
from chrysalis_memory.network._time import now_ms
from chrysalis_memory.network.policies import Policy

__all__ = ["Pace"]

_CONTACT_S: Final = 60.0  # a peer that does not come to an end in this time is left for the next contact
_SETTLE_S: Final = 2.0  # that long a contact stays open at least: calls take their time to come up
_LOOKED_AT: Final = 1_000
_VERIFIED_MAX: Final = 1_000  # beyond so many memories the whole store is verified at once


class Pace:
    """When what was written here leaves. Belongs to the thread in which the node steps.

    What was written before the network began leaves at once, whatever the policy: the program may not run for long.
    """

    def __init__(self, policy: Policy, replica: Replica) -> None:
        self._policy = policy
        self._replica = replica
        self._looked = replica.position()[0]
        self._came_since = self._looked
        self._importance = 0.0
        self._last_s = 0.0
        self._until_s: float | None = None
        self._began_s = 0.0
        self._hurried = True
        self.next_s: float | None = None
        self.held = 0

    @property
    def steady(self) -> bool:
        """Whether others may always be called."""
        return self._policy.steady

    @property
    def calls(self) -> bool:
        """Whether others may be called now."""
        return self._policy.steady or self._until_s is not None

    def begin(self, node: Node) -> None:
        """Holds what is written from now on, if the policy wants it."""
        if self._policy.holds:
            node.hold()

    def hurry(self) -> None:
        """It is due now."""
        self._hurried = True

    def look(self, node: Node, now_s: float) -> bool:
        """Lets out what is due. Returns whether a contact begins with it. `now_s` is the time of day."""
        if not self._policy.holds:
            return False
        self.held = node.held()
        due = self._hurried or (self.next_s is not None and now_s >= self.next_s)
        if not due and not (self.held and self._policy.wants(self.held, self._most_important())):
            return False
        node.show(now_ms())
        self._hurried, self._importance, self.held = False, 0.0, 0
        self._looked = self._replica.position()[0]
        self._last_s, self.next_s = now_s, self._policy.next_s(now_s)
        if self._policy.steady or self._until_s is not None:
            return False
        self._began_s, self._until_s = now_s, now_s + _CONTACT_S
        return True

    def is_over(self, links: Iterable[Mapping[str, Any]], calling: int, now_s: float) -> bool:
        """Whether a contact has come to its end: nobody is being called, and everyone who is linked holds the same."""
        if self._until_s is None:
            return False
        settled = not calling and now_s - self._began_s >= _SETTLE_S
        if now_s < self._until_s and not (settled and all(link["ready"] and link["agreed"] for link in links)):
            return False
        self._until_s = None
        return True

    def verify(self) -> Sequence[tuple[str, str, str]]:
        """Checks every signature of what came since the last time: the problems, as (code, where, what)."""
        if not self._policy.validates:
            return []
        came = self._came()
        if len(came) >= _VERIFIED_MAX:
            return self._replica.verify(None)[2]
        return [problem for one in came for problem in self._replica.verify(one)[2]]

    def _came(self) -> list[str]:
        came, self._came_since = _changed(self._replica, self._came_since, _VERIFIED_MAX)
        if len(came) >= _VERIFIED_MAX:
            self._came_since = self._replica.position()[0]
        return came

    def _most_important(self) -> float:
        ids, self._looked = _changed(self._replica, self._looked, _LOOKED_AT)
        for memory in self._replica.get_many(ids):
            if memory is not None:
                self._importance = max(self._importance, memory.importance)
        return self._importance


def _changed(replica: Replica, since: int, limit: int) -> tuple[list[str], int]:
    """Memories that changed after a position of the feed, and how far that reaches."""
    changed, _ = replica.changes_after(since, replica.position()[1], limit)
    return [name for _, name, _ in changed], max([since, *(position for position, _, _ in changed)])
