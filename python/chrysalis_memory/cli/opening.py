"""Opening the store that a command works on, and finding the memory that an abbreviated id means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chrysalis_memory import ChrysalisMemory, Memory
from chrysalis_memory.cli.options import DEFAULT_AGENT
from chrysalis_memory.cli.passphrase import passphrase
from chrysalis_memory.config import Config, default_path
from chrysalis_memory.errors import NotFound, StoreError

if TYPE_CHECKING:
    from chrysalis_memory.network import SyncConfig

PREFIX_CHARACTERS_MIN: Final = 4
"""Fewer would be ambiguous in any store worth the name, and are more likely a slip."""

AMBIGUOUS_SHOWN: Final = 3

EMBEDDER_VARIABLE: Final = "CHRYSALIS_EMBEDDER"
URL_VARIABLE: Final = "CHRYSALIS_EMBEDDER_URL"
KEY_VARIABLE: Final = "CHRYSALIS_EMBEDDER_KEY"

_PAGE: Final = 1000


def embedder() -> str:
    """The embedder by name; `auto` takes the local model where it is installed."""
    return os.environ.get(EMBEDDER_VARIABLE) or "auto"


def open_to_write(store: Path | None, space: str | None, agent: str) -> ChrysalisMemory:
    """The store, made if there is none yet."""
    return _open(store, space, agent, embedder())


def open_to_read(store: Path | None, space: str | None) -> ChrysalisMemory:
    """The store; reading never makes one, so that a mistyped folder is noticed."""
    require_store(store)
    return _open(store, space, DEFAULT_AGENT, embedder())


def open_to_enter(
    store: Path | None,
    *,
    space: str | None = None,
    closed: bool = False,
    invite: str | None = None,
    sync_config: SyncConfig | None = None,
) -> ChrysalisMemory:
    """The store, made if there is none yet, as it founds a space or joins one."""
    return ChrysalisMemory(
        store,
        agent_id=DEFAULT_AGENT,
        space=space,
        closed=closed,
        invite=invite,
        passphrase=passphrase(store),
        embedder=embedder(),
        sync_config=sync_config,
    )


def open_with_model(store: Path | None, space: str | None, model: str) -> ChrysalisMemory:
    """The store, read with this embedding model."""
    require_store(store)
    return _open(store, space, DEFAULT_AGENT, model)


def _open(store: Path | None, space: str | None, agent: str, model: str) -> ChrysalisMemory:
    config = Config(
        embedder_url=os.environ.get(URL_VARIABLE) or None, embedder_key=os.environ.get(KEY_VARIABLE) or None
    )
    return ChrysalisMemory(
        store, agent_id=agent, space=space, passphrase=passphrase(store), embedder=model, config=config
    )


def require_store(store: Path | None) -> Path:
    """The folder, if there is a store in it."""
    path = store if store is not None else default_path()
    if not (path / "chrysalis.db").exists():
        raise StoreError(
            f"there is no store in {path}",
            code="no_store",
            hint="Name another folder with --store, or make a store with `chrysalis remember`.",
            path=str(path),
        )
    return path


def find(memory: ChrysalisMemory, given: str) -> Memory:
    """The memory with this id, or the only one whose id begins so; raises `NotFound` or says which there are."""
    exact = memory.get(given)
    if exact is not None:
        return exact
    if _is_gone(memory, given):
        # Never another one whose id happens to begin so: forgetting twice must not forget something else.
        raise NotFound(f"memory {given!r} was forgotten or has expired", id=given)
    found = list(islice(_beginning_with(memory, given), AMBIGUOUS_SHOWN + 1))
    if not found:
        raise NotFound(f"there is no memory {given!r}", id=given)
    if len(found) > 1:
        shown = ", ".join(item.id for item in found[:AMBIGUOUS_SHOWN])
        raise ValueError(f"{given!r} begins several ids ({shown}, ...); give more characters")
    return found[0]


def _is_gone(memory: ChrysalisMemory, given: str) -> bool:
    try:
        return bool(memory.history(given))
    except NotFound:
        return False


def _beginning_with(memory: ChrysalisMemory, prefix: str) -> Iterator[Memory]:
    if len(prefix) < PREFIX_CHARACTERS_MIN:
        return
    for offset in count(0, _PAGE):
        page = memory.list(limit=_PAGE, offset=offset)
        yield from (item for item in page if item.id.startswith(prefix))
        if len(page) < _PAGE:
            return
