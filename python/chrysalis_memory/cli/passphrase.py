"""Where the passphrase of an encrypted store comes from: a file, the environment, or whoever sits at the terminal.

Never from an argument, which every user of the machine can see, and never with an echo.
"""

from __future__ import annotations

import os
import stat
import sys
import warnings
from functools import cache
from getpass import GetPassWarning, getpass
from pathlib import Path
from typing import Final

import typer

from chrysalis_memory.cli.output import printable
from chrysalis_memory.config import default_path
from chrysalis_memory.maintenance import HAS_ENCRYPTION

PASSPHRASE_VARIABLE: Final = "CHRYSALIS_PASSPHRASE"  # noqa: S105 - where it is, not what it is

_FILE_BYTES_MAX: Final = 4096

_file: Path | None = None


def use_passphrase_file(path: Path | None) -> None:
    """Says from which file all commands of this process take the passphrase."""
    global _file
    _file = path
    _asked.cache_clear()


def given_passphrase() -> str | None:
    """The passphrase that the file holds which --passphrase-file named, or the environment; None if neither does."""
    return read_passphrase(_file) if _file is not None else os.environ.get(PASSPHRASE_VARIABLE) or None


def passphrase(store: Path | None) -> str | None:
    """What opens this store. One that is encrypted is asked for on a terminal, if nothing gives it; without a terminal
    opening the store says what to give.
    """
    given = given_passphrase()
    path = default_path() if store is None else store.expanduser()
    if given is not None or not HAS_ENCRYPTION or not (path / "encryption").exists() or not sys.stdin.isatty():
        return given
    return _asked(path)


def new_passphrase() -> str | None:
    """A passphrase for a store that is to be encrypted, asked for twice; None without a terminal."""
    if not HAS_ENCRYPTION or not sys.stdin.isatty():
        return None
    first = _ask("New passphrase: ")
    if _ask("The same again: ") != first:
        raise ValueError("these are two passphrases; nothing was changed")
    return first


@cache
def _asked(path: Path) -> str:
    """Once for all openings of a command."""
    return _ask(f"Passphrase of {printable(str(path))}: ")


def _ask(prompt: str) -> str:
    with warnings.catch_warnings():
        # Where the echo can't be turned off, nothing is asked.
        warnings.simplefilter("error", GetPassWarning)
        try:
            return getpass(prompt)
        except GetPassWarning:
            raise ValueError("this terminal would show the passphrase; give --passphrase-file") from None
        except EOFError:
            raise typer.Abort from None


def read_passphrase(path: Path) -> str:
    """The passphrase in a file: all of it but one line break at its end. Refuses a file that others can read."""
    try:
        with path.expanduser().open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(f"the passphrase can't be read from {path}: {error.strerror}") from None
    if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
        raise ValueError(f"others can read the passphrase in {path}: close the file to them (chmod 600)")
    if len(found) > _FILE_BYTES_MAX:
        raise ValueError(f"{path} is too long for a passphrase")
    try:
        return found.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text, so it holds no passphrase") from None
