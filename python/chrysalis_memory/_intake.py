"""Imports: what was read from files becomes memories, and what failed is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chrysalis_memory.errors import Refused
from chrysalis_memory.records import ImportProblem, ImportReport

__all__ = ["BUNDLE_MAGIC", "take_in"]

BUNDLE_MAGIC = b"chrysalis-bundle"

_TOGETHER = 1_000  # records of one transaction: keeps the waits of other writers short

Remember = Callable[[list[Mapping[str, Any]]], list[bool]]


def take_in(items: Iterable[Mapping[str, Any] | ImportProblem], remember: Remember, file: str) -> ImportReport:
    """Remembers the records in transactions of bounded size. `remember` says of each whether it had to be written.

    Records that are refused are named with their file; where the reader knew the line, its message has it.
    """
    read = added = 0
    failed: list[ImportProblem] = []
    pending: list[Mapping[str, Any]] = []

    def store() -> None:
        nonlocal read, added
        read += len(pending)
        written, refused = _together_or_each(pending, remember, file)
        added += written
        failed.extend(refused)
        pending.clear()

    for item in items:
        if isinstance(item, ImportProblem):
            read += 1
            failed.append(item)
            continue
        pending.append(item)
        if len(pending) == _TOGETHER:
            store()
    store()
    return ImportReport(read, added, read - added - len(failed), tuple(failed))


def _together_or_each(
    records: list[Mapping[str, Any]], remember: Remember, file: str
) -> tuple[int, list[ImportProblem]]:
    try:
        return sum(remember(records)), []
    except (Refused, ValueError, TypeError):
        # One of them is not acceptable: each by itself, so that the others get in.
        outcomes = [_one(record, remember, file) for record in records]
    refused = [outcome for outcome in outcomes if isinstance(outcome, ImportProblem)]
    return sum(outcome is True for outcome in outcomes), refused


def _one(record: Mapping[str, Any], remember: Remember, file: str) -> bool | ImportProblem:
    try:
        return remember([record])[0]
    except (Refused, ValueError, TypeError) as error:
        words = str(record.get("content", ""))[:40]
        return ImportProblem(file, 0, f"{error} ({words!r})")
