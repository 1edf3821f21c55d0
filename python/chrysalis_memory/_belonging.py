"""Belonging to a space: roles, invitations, and where other replicas are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from chrysalis_memory import validation
from chrysalis_memory._opened import now_ms
from chrysalis_memory._promotion import Promoting
from chrysalis_memory._said import known_id, length, score, text, texts, whole
from chrysalis_memory.records import Duration, Invitation, Member, from_ms
from chrysalis_memory.validation import Validation, ValidationVote

__all__ = ["Belonging", "Role"]

Role = Literal["relay", "reader", "writer", "validator", "administrator"]

_INVITATION_S = 24 * 3600.0  # long enough to be passed on by hand, short enough that a forgotten message is harmless

# Inside a class with a method `list`, the type needs another name.
Texts: TypeAlias = "list[str]"
Members: TypeAlias = "list[Member]"
Invitations: TypeAlias = "list[Invitation]"


class Belonging(Promoting):
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

    def invitations(self) -> Invitations:
        """The invitations of this replica that can still be used, those that end first at the front. Those of other
        administrators stand in their stores.

        >>> import tempfile
        >>> from chrysalis_memory import ChrysalisMemory
        >>> with ChrysalisMemory(tempfile.mkdtemp(), space="team", closed=True) as ada:
        ...     token = ada.invite("reader")
        ...     [(one.role, one.joined) for one in ada.invitations()]
        ...     ada.revoke(token)
        ...     ada.invitations()
        [('reader', 0)]
        True
        []
        """
        return [Invitation(**one) for one in self._core().invitations()]

    def revoke(self, invitation: str) -> bool:
        """Takes an invitation back, before it is used or after, for every replica and for good.

        `invitation` is the token, of whichever administrator, or the id that `invitations()` and `Member.invitation`
        tell. Whoever joins by it later is refused by every replica that has heard of this. Who had joined, as far as
        this store has heard, stays a member: see `remove`. Returns whether it had not been taken back before. Raises
        `NotAllowed` unless this replica is an administrator of a closed space, `NotFound` for an id of which nothing is
        known here, `Malformed` for a damaged token, and `ValueError` for a token of another space.
        """
        return self._core().revoke(text("invitation", invitation).strip())

    def peers(self) -> Texts:
        """Addresses of other replicas, sorted: those that a token named, and those added since."""
        return self._core().peers()

    def add_peer(self, url: str) -> bool:
        """Keeps the address of another replica; returns whether it was new."""
        return self._core().add_peer(text("url", url))

    def forget_peer(self, url: str) -> bool:
        """Drops an address; returns whether it was kept."""
        return self._core().forget_peer(text("url", url))

    def members(self) -> Members:
        """Every replica that takes part or took part in the space, in the order of joining.

        >>> [member.you for member in example_store().members()]
        [True]
        """
        return [Member(**one | {"agents": tuple(one["agents"])}) for one in self._core().members()]

    def remove(self, key: str) -> bool:
        """Ends the membership of the replica with this key (`Member.key`), for every replica and for good.

        What this replica has of it by now counts, and nothing that it says later, nor who joins by its invitations
        without having been seen here. Returns whether it was a member until now. Raises `NotAllowed` unless this
        replica is an administrator of a closed space, `NotFound` for a key that no member has, and `ValueError` for its
        own. Of two administrators who remove each other, the one nearer to the founder stays.
        """
        return self._core().remove(text("key", key))

    @property
    def robust(self) -> bool:
        """Whether importance and confidence read as trimmed means over the members; see `configure`."""
        return self._core().is_robust()

    def configure(self, *, robust: bool) -> None:
        """Sets how the space reads importance and confidence, for every replica: as the maximum of what authors said,
        or, `robust`, as the trimmed mean of n members that may write, cut by floor((n - 1) / 3) at each end. Then one
        voice among four proves nothing, and reads as 0.5. Raises `NotAllowed` unless this replica is an administrator
        of a closed space.
        """
        self._core().set_robust(bool(robust))

    def attest(self, id: str, confidence: float) -> None:
        """Votes on what a memory says now: how sure this replica is of it, 0 to 1.

        A later vote replaces an earlier one. Raises `NotFound`, and `NotAllowed` unless this replica is a validator or
        an administrator.
        """
        self._core().attest(known_id(id), score("confidence", confidence))

    def validate(self, id: str, *, threshold: int | None = None) -> Validation:
        """The votes on a memory, and whether enough validators stand behind what it says now: `threshold` of them, or
        floor(2n / 3) + 1 of n. Raises `NotFound`.

        >>> memory = example_store()
        >>> note = memory.remember("the kiln is hot")
        >>> memory.attest(note.id, 0.9)
        >>> found = memory.validate(note.id)
        >>> found.accepted, found.mean, found.threshold, found.missing
        (True, 0.9, 1, ())
        """
        votes, validators = self._core().ballots(known_id(id))
        least = whole("threshold", threshold, 1) if threshold is not None else validation.threshold(len(validators))
        made = tuple(
            ValidationVote(voter, confidence, current, from_ms(at)) for voter, confidence, current, at in votes
        )
        return Validation(id, made, tuple(validators), least)
