"""Access tokens: what an HTTP client shows, what it may do with it, and until when.

A token is `chub_` + 16 hex characters that name it + `_` + 32 random bytes in base64. Kept is one small file for each
(0600, in a folder 0700) with the SHA-256 of the token: 256 random bits need no slow hash, and whoever reads the files
can't call the hub with them. A file of its own for each means that tokens made or taken back by another process hold
from the next request on, and that two commands at once can't undo each other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from chrysalis_memory.errors import NotFound
from chrysalis_memory.hub.settings import RIGHTS
from chrysalis_memory.records import Record, from_ms, iso, to_ms

__all__ = ["AccessToken", "AccessTokens"]

FOLDER: Final = "access-tokens"
TOKENS_MAX: Final = 1_000
"""More would be a user directory, which this is not."""
NAME_CHARACTERS_MAX: Final = 64

_FORM: Final = re.compile(r"chub_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_ID: Final = re.compile(r"[0-9a-f]{16}")
_FILE_BYTES_MAX: Final = 4096
# Compared with when there is no such token, so that a wrong id takes as long as a wrong secret.
_NOBODY: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class AccessToken(Record):
    """What is kept of a token: its id, the name under which its holder speaks, its right, and when it ends."""

    id: str
    name: str
    right: str
    created_at: datetime
    expires_at: datetime | None = None

    def may(self, right: str) -> bool:
        """Whether it includes this right."""
        return RIGHTS.index(self.right) >= RIGHTS.index(right)


class AccessTokens:
    """The tokens of one hub, in a folder of its store.

    >>> import tempfile
    >>> tokens = AccessTokens(tempfile.mkdtemp())
    >>> secret, token = tokens.make("dashboard", "read", now_ms=0)
    >>> tokens.find(secret, now_ms=1) == token, tokens.find(secret + "x", now_ms=1) is None
    (True, True)
    """

    def __init__(self, store: str | os.PathLike[str]) -> None:
        self._folder = Path(store) / FOLDER

    def make(self, name: str, right: str, *, now_ms: int, lifetime_ms: int | None = None) -> tuple[str, AccessToken]:
        """A new token: the text to show once, and what is kept of it. Raises `ValueError`."""
        _check(name, right)
        if len(self.list()) >= TOKENS_MAX:
            raise ValueError(f"there are {TOKENS_MAX} access tokens already; take some back first")
        token_id, expires_ms = secrets.token_hex(8), None if lifetime_ms is None else now_ms + lifetime_ms
        secret = f"chub_{token_id}_{secrets.token_urlsafe(32)}"
        kept = {
            "id": token_id,
            "name": name,
            "right": right,
            "hash": _hash(secret),
            "created_at": iso(from_ms(now_ms)),
            "expires_at": None if expires_ms is None else iso(from_ms(expires_ms)),
        }
        self._write(token_id, kept)
        return secret, _token(kept)

    def _write(self, id: str, kept: dict[str, Any]) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._folder / f"{id}.new"
        descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._folder / f"{id}.json")

    def find(self, secret: str, *, now_ms: int) -> AccessToken | None:
        """The token that this text is, unless it is none or has expired."""
        match = _FORM.fullmatch(secret)
        kept = None if match is None else self._read(match[1])
        is_right = hmac.compare_digest(_hash(secret), _NOBODY if kept is None else kept["hash"])
        if kept is None or not is_right:
            return None
        token = _token(kept)
        return None if token.expires_at is not None and to_ms(token.expires_at) <= now_ms else token

    def _read(self, id: str) -> dict[str, Any] | None:
        try:
            with (self._folder / f"{id}.json").open("rb") as file:
                kept = json.loads(file.read(_FILE_BYTES_MAX))
        except (OSError, ValueError):
            return None
        return kept if _is_sound(kept) else None

    def list(self) -> list[AccessToken]:
        """All of them, oldest first; expired ones too."""
        ids = [path.stem for path in self._folder.glob("*.json") if _ID.fullmatch(path.stem)]
        kept = [found for found in map(self._read, ids) if found is not None]
        return sorted(map(_token, kept), key=lambda token: (token.created_at, token.id))

    def take_back(self, id: str) -> None:
        """From now on the token is none. Raises `NotFound`."""
        try:
            if _ID.fullmatch(id) is None:
                raise FileNotFoundError(id)
            (self._folder / f"{id}.json").unlink()
        except FileNotFoundError:
            raise NotFound(
                f"there is no access token {id!r}", hint="List them with `chrysalis hub tokens`.", id=id
            ) from None


def _check(name: str, right: str) -> None:
    if right not in RIGHTS[1:]:
        raise ValueError(f"the right is {right!r}; it must be one of {', '.join(RIGHTS[1:])}")
    if not name.strip() or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise ValueError(f"a name has 1 to {NAME_CHARACTERS_MAX} characters that can be printed")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _is_sound(kept: Any) -> bool:
    texts = ("id", "name", "right", "hash", "created_at")
    return isinstance(kept, dict) and all(isinstance(kept.get(name), str) for name in texts) and _has_times(kept)


def _has_times(kept: dict[str, Any]) -> bool:
    try:
        _token(kept)
    except (TypeError, ValueError):
        return False
    return kept["right"] in RIGHTS[1:]


def _token(kept: dict[str, Any]) -> AccessToken:
    expires = kept.get("expires_at")
    return AccessToken(
        kept["id"],
        kept["name"],
        kept["right"],
        from_ms(to_ms(kept["created_at"])),
        None if expires is None else from_ms(to_ms(expires)),
    )
