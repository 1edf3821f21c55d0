"""What every measured system is: a store that is filled once and then asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmarks.quality.collection import Item, Question

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["Kind", "Missing", "System", "versions"]


class System(Protocol):
    """A store of one conversation, or of all of them."""

    def add_many(self, items: Sequence[Item]) -> None:
        """Takes the memories and makes them findable."""

    def search(self, question: Question, k: int) -> list[str]:
        """The ids of at most `k` memories, best first."""

    def close(self) -> None:
        """Lets go of everything."""


class Missing(Exception):
    """The system can't be measured here; the message says why, in the words of the table."""


@dataclass(frozen=True)
class Kind:
    """A system by its name, and how to make a store of it in an empty folder."""

    name: str
    title: str
    make: Callable[[Path, SharedEmbedder | None], System]
    packages: Sequence[str] = ()
    note: str = ""


def versions(kind: Kind) -> Mapping[str, str]:
    """The version of each package that the system is made of."""
    found = {}
    for package in kind.packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
