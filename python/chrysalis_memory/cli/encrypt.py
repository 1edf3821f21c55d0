"""The command that encrypts a store, changes its passphrase or its key, or makes it plain again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chrysalis_memory.cli.care import PANEL
from chrysalis_memory.cli.ghost import open_ghost
from chrysalis_memory.cli.opening import require_store
from chrysalis_memory.cli.options import GhostFolder, Json, Store
from chrysalis_memory.cli.output import for_people, print_json, print_row, say, working
from chrysalis_memory.cli.passphrase import new_passphrase, passphrase, read_passphrase
from chrysalis_memory.maintenance import change_passphrase, decrypt
from chrysalis_memory.maintenance import encrypt as encrypt_store


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command(rich_help_panel=PANEL)(encrypt)


def encrypt(
    *,
    new_passphrase_file: Annotated[
        Path | None, typer.Option(help="File with the passphrase that opens an encrypted store from now on.")
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Write an encrypted store anew under another key, too.")
    ] = False,
    off: Annotated[bool, typer.Option("--off", help="Make an encrypted store plain again.")] = False,
    ghost: GhostFolder = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Encrypt a store that is not, or change how it is encrypted. The store must be closed everywhere.

    The passphrase comes from [bold]--passphrase-file[/bold], before the name of the command, from
    CHRYSALIS_PASSPHRASE, or is asked for on a terminal. Without it nobody can read the store again. Old files are
    deleted, and the store's ghost is cleared; backups and copies stay as they are.

    [bold]Examples[/bold]

      chrysalis --passphrase-file secret encrypt --store /data/agents

      CHRYSALIS_PASSPHRASE=... chrysalis encrypt --store /data/agents

      chrysalis --passphrase-file secret encrypt --new-passphrase-file other --store /data/agents

      chrysalis --passphrase-file secret encrypt --off --store /data/agents
    """
    path = require_store(store)
    given = passphrase(store) or (None if off else new_passphrase())
    if given is None:
        raise ValueError("which passphrase? give --passphrase-file before the command, or CHRYSALIS_PASSPHRASE")
    after = _after(path, given, new_passphrase_file, asks=not (off or new_key))
    with working("Writing the store anew"):
        done = _change(path, given, after, new_key=new_key, off=off)
    if done == "encrypted":
        open_ghost(ghost, store).clear(set_aside=True)
    if json:
        print_json({"done": done, "store": str(path)})
    elif for_people():
        say(f"[green]{done}[/]")
    else:
        print_row(done, path)


def _after(path: Path, given: str, file: Path | None, *, asks: bool) -> str:
    """The passphrase from now on: where nothing else is to change, a terminal is asked for another one."""
    if file is not None:
        return read_passphrase(file)
    asked = new_passphrase() if asks and (path / "encryption").exists() else None
    return given if asked is None else asked


def _change(path: Path, given: str, after: str, *, new_key: bool, off: bool) -> str:
    if off and (new_key or after != given):
        raise ValueError("--off makes the store plain: it has no passphrase and no key then")
    if off:
        decrypt(path, given)
        return "plain"
    if not (path / "encryption").exists():
        encrypt_store(path, after)
        return "encrypted"
    if new_key:
        encrypt_store(path, after, before=given)
        return "new key"
    if after == given:
        raise ValueError("the store is encrypted; give --new-passphrase-file, --new-key or --off to change that")
    change_passphrase(path, given, after)
    return "new passphrase"
