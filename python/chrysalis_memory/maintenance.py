"""Looking after a store that may not even open: what is wrong with it, and putting right what can be.

Works on the folder, so it also speaks of stores that `ChrysalisMemory` refuses to open.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from chrysalis_memory import _core
from chrysalis_memory.records import Record

__all__ = ["Finding", "diagnose", "repair"]


@dataclass(frozen=True, slots=True)
class Finding(Record):
    """One thing that was looked at, or done: how bad it is (`ok`, `warning`, `error`), a stable code, where it
    is, what it is in plain words, and what `repair` does about it, if anything."""

    level: str
    code: str
    where: str
    what: str
    repair: str | None = None


def diagnose(path: str | os.PathLike[str]) -> list[Finding]:
    """Looks at everything in a store's folder and changes nothing.

    >>> import tempfile
    >>> {finding.level for finding in diagnose(tempfile.mkdtemp())}
    {'error'}
    """
    return [Finding(*finding) for finding in _core.diagnose(os.fspath(path))]


def repair(path: str | os.PathLike[str]) -> list[Finding]:
    """Makes again what is derived, and saves from a damaged database what its signatures still prove.

    Damaged files are kept beside the new ones. Nothing else may have the store open. Says what was done and what was
    lost; what can't be mended stands among the findings as an `error`.
    """
    return [Finding(*finding) for finding in _core.repair(os.fspath(path))]
