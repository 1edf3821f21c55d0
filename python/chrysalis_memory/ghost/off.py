"""No ghost: what stands behind the paths of a store that is encrypted, unless somebody names a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from chrysalis_memory.config import default_path
from chrysalis_memory.errors import StoreError
from chrysalis_memory.ghost.cache import GhostCache, default_ghost_path
from chrysalis_memory.ghost.stability import Stability

__all__ = ["NoGhost", "ghost_of"]


class NoGhost(GhostCache):
    """Keeps nothing, since what a ghost keeps is plain text. What stands in its folder from before can be read, and
    cleared.

    >>> import tempfile
    >>> NoGhost(tempfile.mkdtemp()).write("status", {"text": "59 memories"})
    Traceback (most recent call last):
        ...
    chrysalis_memory.errors.StoreError: the store is encrypted, and its ghost is off
    """

    keeps = False

    def write(self, what: str, data: Any) -> None:  # noqa: ARG002 - as GhostCache
        """Raises `StoreError`."""
        _refuse()

    def write_agent(self, agent: str, state: Any) -> None:  # noqa: ARG002 - as GhostCache
        """Raises `StoreError`."""
        _refuse()

    def change_agent(self, agent: str, edit: Callable[[Any], Any]) -> None:  # noqa: ARG002 - as GhostCache
        """Raises `StoreError`."""
        _refuse()

    def record_call(self, succeeded: bool) -> Stability:  # noqa: ARG002 - as GhostCache
        """Counts nothing."""
        return self.stability()


def _refuse() -> NoReturn:
    raise StoreError(
        "the store is encrypted, and its ghost is off",
        code="ghost_off",
        hint="Name a folder for it (`ghost=`, --ghost) if its words may stand there as plain text.",
    )


def ghost_of(
    store: str | os.PathLike[str] | None, ghost: str | os.PathLike[str] | None, *, encrypted: bool = False
) -> GhostCache:
    """The ghost in the folder `ghost`; without one that of the store, and none for a store that is, or will be,
    encrypted."""
    if ghost is not None:
        return GhostCache(ghost)
    folder = default_path() if store is None else Path(store).expanduser()
    kind = NoGhost if encrypted or (folder / "encryption").exists() else GhostCache
    return kind(default_ghost_path(store))
