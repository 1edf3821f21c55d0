"""How a request fails: a status, and JSON with a stable code, a sentence and a hint."""

from __future__ import annotations

import logging
import traceback
from typing import Any, Final

from chrysalis_memory.errors import (
    ChrysalisError,
    DiskFull,
    Malformed,
    NotAllowed,
    NotFound,
    Refused,
    StoreLocked,
    StoreReadOnly,
    TooLarge,
)

__all__ = ["Failure", "failure_of", "log_mistake"]

_LOG: Final = logging.getLogger("chrysalis.hub")

BUSY_RETRY_S: Final = 1.0


class Failure(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, hint: str, *, retry_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.retry_s = retry_s

    def to_dict(self) -> dict[str, Any]:
        """As the body of the answer has it."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


_STATUS: Final[tuple[tuple[type[ChrysalisError], int], ...]] = (
    (NotFound, 404),
    (NotAllowed, 403),
    (TooLarge, 413),
    (Malformed, 422),
    (Refused, 422),
    (StoreLocked, 503),
    (DiskFull, 507),
    (StoreReadOnly, 503),
)


def failure_of(error: Exception) -> Failure:
    """The failure that stands for an error of the library; what nobody expected tells nothing of itself.

    >>> failure_of(NotFound("memory 'x' is not in the store")).status, failure_of(RuntimeError("secret")).message
    (404, 'the hub made a mistake')
    """
    if isinstance(error, Failure):
        return error
    if isinstance(error, ChrysalisError):
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 503)
        # Messages about the store may name its folder, which is nobody's business out there.
        message = str(error) if status < 500 else f"the store cannot do that now ({error.code})"
        hint = _HINTS.get(error.code, error.hint) if status < 500 else "Try again; if it stays so, look at /health."
        return Failure(status, error.code, message, hint, retry_s=BUSY_RETRY_S if status == 503 else None)
    if isinstance(error, ValueError | TypeError):
        return Failure(400, "misuse", str(error)[:500], "See /openapi.json for what is accepted.")
    return Failure(500, "internal", "the hub made a mistake", "It is in the hub's log; please report it.")


def log_mistake(error: BaseException) -> None:
    """Logs where an unexpected error came from, and not what it says: that may hold somebody's words."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _LOG.error("%s in %s, line %s", type(error).__name__, place.filename, place.lineno)


# Where the library's hint names a command that a caller over HTTP does not have.
_HINTS: Final = {"not_found": "List what is there with GET /v1/memories, or search with POST /v1/recall."}
