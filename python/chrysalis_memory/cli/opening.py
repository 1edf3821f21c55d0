"""Opening the store that a command works on, and finding the memory that an abbreviated id means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Final

from chrysalis_memory import ChrysalisMemory, Memory
from chrysalis_memory.cli.options import DEFAULT_AGENT
from chrysalis_memory.config import Config, default_path
from chrysalis_memory.errors import NotFound, StoreError

PREFIX_CHARACTERS_MIN: Final = 4
"""Fewer would be ambiguous in any store worth the name, and are more likely a slip."""

AMBIGUOUS_SHOWN: Final = 3

EMBEDDER_VARIABLE: Final = "CHRYSALIS_EMBEDDER"
URL_VARIABLE: Final = "CHRYSALIS_EMBEDDER_URL"
KEY_VARIABLE: Final = "CHRYSALIS_EMBEDDER_KEY"

PASSPHRASE_VARIABLE: Final = "CHRYSALIS_PASSPHRASE"  # noqa: S105 - where it is, not what it is

_PAGE: Final = 1000

_PASSPHRASE_FILE_BYTES_MAX: Final = 4096

_passphrase_file: Path | None = None


def embedder() -> str:
    """The embedder by name; `auto` takes the local model where it is installed."""
    return os.environ.get(EMBEDDER_VARIABLE) or "auto"


def passphrase() -> str | None:
    """What opens an encrypted store: from the file that --passphrase-file named, or from the environment. Never from an
    argument, which every user of the machine could see.
    """
    if _passphrase_file is not None:
        return read_passphrase(_passphrase_file)
    return os.environ.get(PASSPHRASE_VARIABLE) or None


def read_passphrase(path: Path) -> str:
    """The passphrase in a file: all of it but one line break at its end."""
    try:
        with path.expanduser().open("rb") as file:
            found = file.read(_PASSPHRASE_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"the passphrase can't be read from {path}: {error.strerror}") from None
    if len(found) > _PASSPHRASE_FILE_BYTES_MAX:
        raise ValueError(f"{path} is too long for a passphrase")
    try:
        return found.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text, so it holds no passphrase") from None


def use_passphrase_file(path: Path | None) -> None:
    """Says from which file all commands of this process take the passphrase."""
    global _passphrase_file
    _passphrase_file = path


def open_to_write(store: Path | None, space: str | None, agent: str) -> ChrysalisMemory:
    """The store, made if there is none yet."""
    return _open(store, space, agent, embedder())


def open_to_read(store: Path | None, space: str | None) -> ChrysalisMemory:
    """The store; reading never makes one, so that a mistyped folder is noticed."""
    require_store(store)
    return _open(store, space, DEFAULT_AGENT, embedder())


def open_to_enter(
    store: Path | None, *, space: str | None = None, closed: bool = False, invite: str | None = None
) -> ChrysalisMemory:
    """The store, made if there is none yet, as it founds a space or joins one."""
    return ChrysalisMemory(
        store,
        agent_id=DEFAULT_AGENT,
        space=space,
        closed=closed,
        invite=invite,
        passphrase=passphrase(),
        embedder=embedder(),
    )


def open_with_model(store: Path | None, space: str | None, model: str) -> ChrysalisMemory:
    """The store, read with this embedding model."""
    require_store(store)
    return _open(store, space, DEFAULT_AGENT, model)


def _open(store: Path | None, space: str | None, agent: str, model: str) -> ChrysalisMemory:
    config = Config(
        embedder_url=os.environ.get(URL_VARIABLE) or None, embedder_key=os.environ.get(KEY_VARIABLE) or None
    )
    return ChrysalisMemory(store, agent_id=agent, space=space, passphrase=passphrase(), embedder=model, config=config)


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
