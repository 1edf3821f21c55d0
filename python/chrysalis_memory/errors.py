"""Every error that Chrysalis Memory raises on purpose.

::

    ChrysalisError
    ├── Refused          somebody's bytes or wishes were unacceptable, and nothing was changed
    │   ├── BadSignature     the signature does not belong to these words and this key
    │   ├── Malformed        not the canonical form, or fields that contradict each other
    │   ├── TooLarge         above a limit that every replica holds to
    │   ├── NotAllowed       no member, not the author, or the memory is forgotten or withdrawn
    │   ├── Equivocation     two operations of one log with one sequence number
    │   └── TooFarAhead      from further in the future than is believed
    ├── StoreError       the store on this machine cannot do its work
    │   ├── StoreLocked      another process held the write lock for too long
    │   ├── StoreCorrupt     bytes on disk are not what was written
    │   ├── StoreEncrypted   the passphrase is missing or wrong, or this build has no encryption
    │   ├── StoreTooNew      written by a later version than this one
    │   ├── StoreReadOnly    the folder or the disk does not take writes
    │   └── DiskFull         no room left
    ├── LinkError        a connection to another replica failed
    │   ├── Unreachable      nobody answers there
    │   ├── PeerMisbehaved   the other side broke the protocol
    │   ├── LinkTimeout      the other side is too slow
    │   └── LinkClosed       the connection ended
    ├── ModelError       an embedding model is missing, damaged or gives no usable vectors
    └── NotFound         there is no memory with that id

Misuse raises `ValueError` or `TypeError`, as Python does. Each error carries a stable `code` to branch on,
a `hint` that says what to do next, and what it is about as attributes:

>>> error = StoreLocked("another process has written for 30 s", path="/data/store", waited_s=30.0)
>>> error.code, error.waited_s
('store_locked', 30.0)
>>> print(error.hint)
Close the other program or wait for it; `busy_timeout_s` in Config sets how long a write waits.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "BadSignature",
    "ChrysalisError",
    "DiskFull",
    "Equivocation",
    "LinkClosed",
    "LinkError",
    "LinkTimeout",
    "Malformed",
    "ModelError",
    "NotAllowed",
    "NotFound",
    "PeerMisbehaved",
    "Refused",
    "StoreCorrupt",
    "StoreEncrypted",
    "StoreError",
    "StoreLocked",
    "StoreReadOnly",
    "StoreTooNew",
    "TooFarAhead",
    "TooLarge",
    "Unreachable",
    "from_core",
]


class ChrysalisError(Exception):
    """The root: catch this to catch everything that is not misuse."""

    default_code: ClassVar[str] = "error"
    default_hint: ClassVar[str] = "Run `chrysalis doctor`; if it finds nothing, please report this message."

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None, **data: Any) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.hint = hint or self.default_hint
        self.data = data
        for name, value in data.items():
            setattr(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without this, an error raised in a worker process could not be sent back to its parent.
        state = {"code": self.code, "hint": self.hint, "data": self.data, **self.data}
        return (type(self), (str(self),), state)

    def to_dict(self) -> dict[str, Any]:
        """The error as plain data, for a log line or for a program that reads the command line's output."""
        return {"code": self.code, "message": str(self), "hint": self.hint, **self.data}


class Refused(ChrysalisError):
    """The request or the bytes were refused; nothing was changed."""

    default_code = "refused"
    default_hint = "Nothing was stored. Read the message for the rule that refused it."


class BadSignature(Refused):
    """The signature does not fit the words and the key: they were altered, or are somebody else's."""

    default_code = "bad_signature"
    default_hint = "Do not use these bytes; fetch them again from another replica."


class Malformed(Refused):
    """The bytes are not in canonical form, or their fields contradict each other."""

    default_code = "malformed"
    default_hint = "The bytes are damaged or of another format; fetch or export them again."


class TooLarge(Refused):
    """Above a limit that every replica holds to, whoever asks."""

    default_code = "too_large"
    default_hint = "Split the content into several memories; limits are in `Config` and in docs/format.md."
    size: int | None = None
    limit: int | None = None


class NotAllowed(Refused):
    """Not a member, not the author, or about a memory that is forgotten or withdrawn."""

    default_code = "not_allowed"
    default_hint = "Ask the memory's author or an administrator of the space."
    id: str | None = None


class Equivocation(Refused):
    """One log holds two operations with one sequence number: a restored backup, a cloned machine, or a lie."""

    default_code = "equivocation"
    default_hint = "If a backup or a cloned machine is the cause, the owner opens a new epoch by starting once."


class TooFarAhead(Refused):
    """Dated further in the future than this replica believes; it is kept, and has effect when its time comes."""

    default_code = "too_far_ahead"
    default_hint = "Set the clock of the machine that wrote it; time servers (NTP) keep it right."


class StoreError(ChrysalisError):
    """The store on this machine cannot do its work."""

    default_code = "store_error"
    default_hint = "Run `chrysalis doctor` on the store; it says what is wrong and what can be repaired."
    path: str | None = None


class StoreLocked(StoreError):
    """Another process held the write lock for longer than `busy_timeout_s`; nothing was written."""

    default_code = "store_locked"
    default_hint = "Close the other program or wait for it; `busy_timeout_s` in Config sets how long a write waits."
    waited_s: float | None = None


class StoreCorrupt(StoreError):
    """Bytes on disk are not what was written. Nothing more is written until they are repaired."""

    default_code = "store_corrupt"
    default_hint = "Run `chrysalis doctor --repair`: it keeps a copy and rebuilds what the log still proves."


class StoreEncrypted(StoreError):
    """The store is encrypted, and the passphrase is missing or wrong, or this build has no encryption."""

    default_code = "store_encrypted"
    default_hint = "Give `passphrase=`, or on the command line --passphrase-file or CHRYSALIS_PASSPHRASE."


class StoreTooNew(StoreError):
    """The store was written by a later version; this one would misread it and does not try."""

    default_code = "store_too_new"
    default_hint = "Upgrade with `pip install --upgrade chrysalis-memory`."
    found: int | None = None
    supported: int | None = None


class StoreReadOnly(StoreError):
    """The folder, its files or the disk do not take writes; reading still works."""

    default_code = "read_only"
    default_hint = "Give this user write permission on the folder, or choose another one with --store."


class DiskFull(StoreError):
    """No room left; the write was rolled back and what was stored before is whole."""

    default_code = "disk_full"
    default_hint = "Free some space on that disk and try again; nothing needs repair."


class LinkError(ChrysalisError):
    """A connection to another replica failed; what is stored here is not touched by it."""

    default_code = "link_error"
    default_hint = "Work goes on offline and is sent when the connection is back."
    address: str | None = None


class Unreachable(LinkError):
    """Nobody answers at that address."""

    default_code = "unreachable"
    default_hint = "Check the address and whether the other side is running; it is tried again by itself."


class PeerMisbehaved(LinkError):
    """The other side broke the protocol and was disconnected."""

    default_code = "peer_misbehaved"
    default_hint = "Check that the other side runs the same version; then distrust it."


class LinkTimeout(LinkError):
    """The other side did not answer in time."""

    default_code = "link_timeout"
    default_hint = "The network or the other side is slow; it is tried again by itself."


class LinkClosed(LinkError):
    """The connection ended before the work was done; acknowledged work is kept."""

    default_code = "link_closed"
    default_hint = "It is opened again by itself; what was not acknowledged is sent again."


class ModelError(ChrysalisError):
    """An embedding model is missing, damaged or gives no usable vectors; memories are stored and found by words."""

    default_code = "model_error"
    default_hint = "Run `chrysalis models list`; it says which models can be used and what the others lack."


class NotFound(ChrysalisError):
    """There is no memory with that id: it never was, was forgotten, or has expired."""

    default_code = "not_found"
    default_hint = "List what is there with `chrysalis list`, or search with `chrysalis recall`."
    id: str | None = None


def _tree(root: type[ChrysalisError]) -> list[type[ChrysalisError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


_CLASS_BY_CODE = {kind.default_code: kind for kind in _tree(ChrysalisError)}

# Finer codes of the core that have no class of their own: a caller who minds can still tell them apart by code.
_CLASS_BY_CODE |= {
    "bad_lamport": Malformed,
    "bad_payload": Malformed,
    "broken_chain": Malformed,
    "unknown_version": Malformed,
    "forgotten": NotAllowed,
    "withdrawn": NotAllowed,
    "wrong_space": NotAllowed,
    "space_open": NotAllowed,
    "role_lacking": NotAllowed,
    "removed": NotAllowed,
    "invitation_expired": NotAllowed,
    "invitation_revoked": NotAllowed,
    "passphrase_wrong": StoreEncrypted,
    "encryption_not_built": StoreEncrypted,
    "store_plain": StoreError,
    "closed": StoreError,
    "database_error": StoreError,
    "file_error": StoreError,
    "internal": StoreError,
    "key_unusable": StoreError,
}


def from_core(code: str, message: str, **data: Any) -> ChrysalisError:
    """The error that stands for a code of the compiled core; the code itself is kept.

    >>> from_core("too_large", "content of 70000 bytes; at most 65536 are allowed", limit=65536)
    TooLarge('content of 70000 bytes; at most 65536 are allowed')
    >>> from_core("forgotten", "memory m-1 was forgotten").code
    'forgotten'
    """
    return _CLASS_BY_CODE.get(code, ChrysalisError)(message, code=code, **data)
