"""Looking after a store that may not even open: what is wrong with it, putting right what can be, and encrypting it.

Works on the folder, so it also speaks of stores that `ChrysalisMemory` refuses to open.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from chrysalis_memory import _core
from chrysalis_memory._opened import secret
from chrysalis_memory.records import Record

__all__ = ["HAS_ENCRYPTION", "Finding", "change_passphrase", "decrypt", "diagnose", "encrypt", "repair"]

HAS_ENCRYPTION: Final = _core.HAS_ENCRYPTION
"""Whether this build can keep stores encrypted."""


@dataclass(frozen=True, slots=True)
class Finding(Record):
    """One thing that was looked at, or done: how bad it is (`ok`, `warning`, `error`), a stable code, where it
    is, what it is in plain words, and what `repair` does about it, if anything."""

    level: str
    code: str
    where: str
    what: str
    repair: str | None = None


def diagnose(path: str | os.PathLike[str], *, passphrase: str | None = None) -> list[Finding]:
    """Looks at everything in a store's folder and changes nothing. `passphrase` is that of an encrypted store.

    >>> import tempfile
    >>> {finding.level for finding in diagnose(tempfile.mkdtemp())}
    {'error'}
    """
    return [Finding(*finding) for finding in _core.diagnose(os.fspath(path), passphrase)]


def repair(path: str | os.PathLike[str], *, passphrase: str | None = None) -> list[Finding]:
    """Makes again what is derived, and saves from a damaged database what its signatures still prove.

    Damaged files are kept beside the new ones. Nothing else may have the store open. Says what was done and what was
    lost; what can't be mended stands among the findings as an `error`.
    """
    return [Finding(*finding) for finding in _core.repair(os.fspath(path), passphrase)]


def encrypt(path: str | os.PathLike[str], passphrase: str, *, before: str | None = None) -> None:
    """Writes a store anew, encrypted with a new key that this passphrase opens. On disk when it returns.

    `before` is the passphrase of a store that is encrypted already. The store must be closed everywhere. The files from
    before are deleted; copies, backups and the blocks that an SSD sets aside are out of reach. The text index is made
    again by the next recall. Raises `StoreEncrypted`, `StoreLocked` while somebody has the store open, and
    `ValueError` while damaged files of a repair lie there.
    """
    _core.encrypt(os.fspath(path), before, secret(passphrase))


def decrypt(path: str | os.PathLike[str], passphrase: str) -> None:
    """Writes an encrypted store anew, as a plain one: whoever has its folder can then read it. As `encrypt`."""
    _core.encrypt(os.fspath(path), secret(passphrase), None)


def change_passphrase(path: str | os.PathLike[str], before: str, after: str) -> None:
    """Has another passphrase open an encrypted store, at once and while it is open; its key stays the same.

    Whoever has a copy of the file `encryption` from before, and knew the passphrase, can still open the store: then
    `encrypt(path, after, before=before)`, which makes a new key.
    """
    _core.change_passphrase(os.fspath(path), secret(before), secret(after))
