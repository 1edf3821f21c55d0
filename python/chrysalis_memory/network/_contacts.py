"""What is known of other replicas beside the links that are up: when they were last heard, and what went wrong."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from chrysalis_memory.network.status import PeerStatus

__all__ = ["Contacts"]

_CONTACTS_MAX: Final = 4_096

# These ends are nobody's failure.
_WISHED: Final = frozenset({"closed", "enough", "bye"})

NOT_LET_IN: Final = frozenset({"not_allowed", "wrong_space"})
"""Codes of replicas that let nobody in who is no member of their space."""

_REFUSALS_MAX: Final = 64


@dataclass
class _Contact:
    key: str
    role: str | None = None
    heard: datetime | None = None
    error: str | None = None


class Contacts:
    """Remembers, within bounds, what the node's events say of peers."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[str, _Contact] = OrderedDict()
        self._of_link: dict[int, str] = {}
        self._refusals: dict[str, str] = {}
        self._is_in = False

    @property
    def refused(self) -> str | None:
        """Why those who were called let this replica in nowhere; None when nobody said so, or somebody let it in."""
        if self._is_in or not self._refusals:
            return None
        return "; ".join(f"{url}: {why}" for url, why in sorted(self._refusals.items()))

    def shut_out(self, url: str | None, facts: Mapping[str, Any]) -> bool:
        """Whether this end of a link says, for the first time, that whoever was called does not let this replica in.
        Who was dialed speaks first then, so its key was never proven.
        """
        if url is None or facts["key"] is not None or facts["code"] not in NOT_LET_IN:
            return False
        why = str(facts["why"])
        is_news = self._refusals.get(url) != why
        self._refusals[url] = why
        while len(self._refusals) > _REFUSALS_MAX:
            del self._refusals[next(iter(self._refusals))]
        return is_news

    def heard(self, name: str, facts: Mapping[str, Any]) -> None:
        """An event of the node."""
        if name == "ready":
            self._is_in = True
            self._of_link[facts["link"]] = facts["key"]
            contact = self._contact(facts["key"])
            contact.role, contact.heard, contact.error = facts["role"], _now(), None
        elif name == "closed":
            self._closed(facts)
        elif "link" in facts and facts["link"] in self._of_link:
            self._contact(self._of_link[facts["link"]]).heard = _now()

    def _closed(self, facts: Mapping[str, Any]) -> None:
        self._of_link.pop(facts["link"], None)
        why = None if facts["code"] in _WISHED else f"{facts['code']}: {facts['why']}"
        if facts["key"] is not None:
            self._contact(facts["key"]).error = why

    def _contact(self, key: str) -> _Contact:
        contact = self._by_key.setdefault(key, _Contact(key))
        self._by_key.move_to_end(key)
        while len(self._by_key) > _CONTACTS_MAX:
            self._by_key.popitem(last=False)
        return contact

    def peers(
        self,
        links: Sequence[Mapping[str, Any]],
        wanted: list[str],
        errors: Mapping[str, Exception],
        lags: Mapping[str, int],
    ) -> tuple[PeerStatus, ...]:
        """Everyone: those linked, then addresses that are wanted and not linked."""
        linked = [self._linked(link, lags) for link in links]
        there = {peer.url for peer in linked if peer.connected}
        absent = ((url, errors.get(url) or self._refusals.get(url)) for url in wanted if url not in there)
        return (*linked, *(_absent(url, error) for url, error in absent))

    def _linked(self, link: Mapping[str, Any], lags: Mapping[str, int]) -> PeerStatus:
        key = link["key"]
        contact = self._by_key.get(key) if key is not None else None
        return PeerStatus(
            url=link["address"],
            key=key,
            role=link["role"],
            connected=link["ready"],
            dialed=link["dialed"],
            agreed=link["agreed"],
            last_contact=None if contact is None else contact.heard,
            lag=lags.get(key, 0) if key is not None else 0,
            ahead_logs=link["ahead_logs"],
            unacknowledged_bytes=link["unacknowledged_bytes"],
            last_error=None if contact is None else contact.error,
        )


def _absent(url: str, error: Exception | str | None) -> PeerStatus:
    return PeerStatus(
        url=url,
        key=None,
        role=None,
        connected=False,
        dialed=True,
        agreed=False,
        last_contact=None,
        lag=0,
        ahead_logs=0,
        unacknowledged_bytes=0,
        last_error=None if error is None else str(error),
    )


def _now() -> datetime:
    return datetime.now(timezone.utc)
