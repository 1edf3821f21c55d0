"""File names for names from anywhere.

An agent may be called `../x`, `CON`, `Ada` beside `ada`, or anything else that some file system takes amiss. Plain
names stand for themselves; all others become what is plain in them, `~`, and a digest of the whole. No plain name has
a `~`, so that no two names ever share a file, also where upper and lower case are the same.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from chrysalis_memory.ghost.limits import NAME_CHARACTERS_MAX

__all__ = ["checked_name", "file_name", "type_file", "type_name"]

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9-]*(?:_[a-z0-9-]+)*")
_PLAIN_CHARACTERS_MAX: Final = 64
_KEPT_CHARACTERS: Final = 32
_DIGEST_CHARACTERS: Final = 32

# Windows takes these for devices, whatever follows a dot.
_RESERVED: Final = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def checked_name(what: str, name: object) -> str:
    """The name, if it is text that can be kept; raises `TypeError` or `ValueError`."""
    if not isinstance(name, str):
        raise TypeError(f"{what} is text, not {type(name).__name__}")
    if not name:
        raise ValueError(f"{what} is empty")
    if len(name) > NAME_CHARACTERS_MAX:
        raise ValueError(f"{what} has {len(name)} characters; at most {NAME_CHARACTERS_MAX} are allowed")
    return str(name)


def type_name(name: object) -> str:
    """A type of pheromone: in capitals, however it was written.

    >>> type_name("warning")
    'WARNING'
    """
    return checked_name("the type", checked_name("the type", name).strip().upper())


def file_name(name: str) -> str:
    """The name of the file, without its ending, that stands for this name and for no other.

    >>> file_name("ada"), file_name("tide-watch_2")
    ('ada', 'tide-watch_2')
    >>> file_name("../Ada")
    'ada~4e4af21652b78501295b582d3daa813a'
    """
    if len(name) <= _PLAIN_CHARACTERS_MAX and _PLAIN.fullmatch(name) and name not in _RESERVED:
        return name
    kept = re.sub(r"[^a-z0-9]+", "-", name[:NAME_CHARACTERS_MAX].lower().encode("ascii", "ignore").decode()).strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{kept[:_KEPT_CHARACTERS] or 'name'}~{digest}"


def type_file(name: str) -> str:
    """The same for a type of pheromone, in capitals.

    >>> type_file("WARNING")
    'WARNING'
    """
    return file_name(name.lower() if name.isascii() else name).upper()
