"""Belonging to a space: roles, invitations, and where other replicas are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from chrysalis_memory._opened import now_ms
from chrysalis_memory._said import length, text, texts
from chrysalis_memory._writing import Writing
from chrysalis_memory.records import Duration

__all__ = ["Belonging", "Role"]

Role = Literal["relay", "reader", "writer", "validator", "administrator"]

_INVITATION_S = 24 * 3600.0  # long enough to be passed on by hand, short enough that a forgotten message is harmless

# Inside a class with a method `list`, the type needs another name.
Texts: TypeAlias = "list[str]"


class Belonging(Writing):
    """What an open store is among others."""

    @property
    def closed(self) -> bool:
        """Whether the space is for members only; in an open one whoever knows its name takes part."""
        return self._replica.closed

    @property
    def role(self) -> str:
        """What this replica may do: `relay`, `reader`, `writer`, `validator` or `administrator`, each all that those
        before it may; `removed` when its membership has ended. In an open space everyone is an administrator.

        >>> example_store().role
        'administrator'
        """
        return self._core().role() or "removed"

    @property
    def brought_along(self) -> int:
        """How many memories came along when opening this object founded or joined the space; mostly 0."""
        return self._replica.brought

    def invite(
        self, role: Role = "writer", *, expires: Duration | None = _INVITATION_S, urls: Iterable[str] = ()
    ) -> str:
        """A token by which other replicas join the space: one line of text, and a secret.

        Whoever has it may join, any number of replicas, until it `expires` (timedelta or seconds; None: never). Nobody
        has to be online when it is used. `urls` say where replicas of the space listen; who joins keeps them (`peers`).
        Raises `NotAllowed` unless this replica is an administrator of a closed space.

        >>> import tempfile
        >>> from chrysalis_memory import ChrysalisMemory
        >>> with ChrysalisMemory(tempfile.mkdtemp(), space="team", closed=True) as ada:
        ...     token = ada.invite("reader", urls=["wss://hub.example:4444"])
        >>> with ChrysalisMemory(tempfile.mkdtemp(), invite=token) as bob:
        ...     bob.space, bob.role, bob.peers()
        ('team', 'reader', ['wss://hub.example:4444'])
        """
        until = None if expires is None else now_ms() + length("expires", expires)
        return self._core().invite(text("role", role), until, texts("urls", urls))

    def peers(self) -> Texts:
        """Addresses of other replicas, sorted: those that a token named, and those added since."""
        return self._core().peers()

    def add_peer(self, url: str) -> bool:
        """Keeps the address of another replica; returns whether it was new."""
        return self._core().add_peer(text("url", url))

    def forget_peer(self, url: str) -> bool:
        """Drops an address; returns whether it was kept."""
        return self._core().forget_peer(text("url", url))
