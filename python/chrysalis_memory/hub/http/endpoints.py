"""What an endpoint is: its path, the right it needs, what it takes and answers, and the function that does it.

One table of these is the routes, the checks of requests, and the description at /openapi.json, so they can't differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chrysalis_memory.hub.http.schema import Schema
from chrysalis_memory.hub.settings import RIGHTS

if TYPE_CHECKING:
    from chrysalis_memory.hub.desk import Desk

__all__ = ["Asked", "Caller", "Endpoint", "Plain"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name under which it speaks, its right, and what its rate is counted by."""

    name: str
    right: str
    counted_as: str
    token: str | None = None

    def may(self, right: str) -> bool:
        """Whether the right it has includes this one."""
        return RIGHTS.index(self.right) >= RIGHTS.index(right)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was checked."""

    caller: Caller
    id: str = ""
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer that is text and no JSON."""

    text: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table. `contents`: it shows or takes words, so a relay does not serve it."""

    method: str
    path: str
    name: str
    told: str
    right: str
    do: Callable[[Desk, Asked], Any]
    answer: Schema
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    status: int = 200
    contents: bool = False
    changes: bool = False
    quick: bool = False
    """Served by a thread of its own, so that it answers while all others wait for the store."""
