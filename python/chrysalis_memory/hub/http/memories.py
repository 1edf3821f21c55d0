"""Endpoints that read and write memories: collective recall for agents that keep no store of their own."""

from __future__ import annotations

import copy
from typing import Any, Final

from chrysalis_memory.errors import NotFound
from chrysalis_memory.hub.desk import Desk
from chrysalis_memory.hub.http.endpoints import Asked, Endpoint
from chrysalis_memory.hub.http.schema import array, object_of, typed
from chrysalis_memory.hub.http.shapes import (
    FILTERS,
    MEMORY,
    PAGE_MAX,
    RECALL,
    RECALL_BODY,
    REMEMBER_BODY,
    UPDATE_BODY,
)
from chrysalis_memory.memory import ChrysalisMemory

__all__ = ["MEMORIES"]


def _in_the_name_of(desk: Desk, asked: Asked) -> ChrysalisMemory:
    """The hub's memory, speaking as the holder of the token: who writes is not for the request to say."""
    voice = copy.copy(desk.memory)
    voice.agent_id = asked.caller.name
    return voice


def _list(desk: Desk, asked: Asked) -> dict[str, Any]:
    found = desk.memory.list(**{"limit": 100, **asked.query})
    return {"memories": [memory.to_dict() for memory in found]}


def _get(desk: Desk, asked: Asked) -> dict[str, Any]:
    found = desk.memory.get(asked.id)
    if found is None:
        raise NotFound(f"there is no memory {asked.id[:80]!r}", id=asked.id)
    return found.to_dict()


def _recall(desk: Desk, asked: Asked) -> dict[str, Any]:
    return desk.memory.recall(**asked.body).to_dict()


def _remember(desk: Desk, asked: Asked) -> dict[str, Any]:
    memory = _in_the_name_of(desk, asked).remember(**asked.body)
    _tell(desk, asked, "remembered", memory.id)
    return memory.to_dict()


def _update(desk: Desk, asked: Asked) -> dict[str, Any]:
    memory = _in_the_name_of(desk, asked).update(asked.id, **asked.body)
    _tell(desk, asked, "updated", memory.id, fields=sorted(asked.body))
    return memory.to_dict()


def _forget(desk: Desk, asked: Asked) -> dict[str, Any]:
    receipt = _in_the_name_of(desk, asked).forget(asked.id, withdraw=asked.query.get("withdraw", False))
    _tell(desk, asked, "forgot", asked.id)
    return receipt.to_dict()


def _tell(desk: Desk, asked: Asked, what: str, memory_id: str, **more: Any) -> None:
    """Tells the others at once, and the audit log."""
    desk.collective.wake()
    desk.audit.write(what, id=memory_id, by=asked.caller.name, token=asked.caller.token, **more)


_PAGE: Final = {
    **FILTERS,
    "order": typed("string", enum=["created", "updated", "importance"]),
    "descending": typed("boolean"),
    "limit": typed("integer", minimum=0, maximum=PAGE_MAX),
    "offset": typed("integer", minimum=0, maximum=1 << 40),
}
_RECEIPT: Final = object_of(
    {
        "id": typed("string"),
        "forgotten": typed("boolean"),
        "operations": typed("integer", "how many lost their words"),
        "acknowledged": array(typed("string"), "replicas that have said so"),
        "pending": array(typed("string")),
    }
)

MEMORIES: Final = (
    Endpoint(
        "GET",
        "/v1/memories",
        "listMemories",
        "Memories that pass the filters, newest first.",
        "read",
        _list,
        object_of({"memories": array(MEMORY)}),
        query=_PAGE,
        contents=True,
    ),
    Endpoint(
        "POST",
        "/v1/memories",
        "remember",
        "Remembers words; on disk when it answers. A known id is edited.",
        "write",
        _remember,
        MEMORY,
        body=REMEMBER_BODY,
        status=201,
        contents=True,
        changes=True,
    ),
    Endpoint(
        "GET",
        "/v1/memories/{id}",
        "getMemory",
        "One memory.",
        "read",
        _get,
        MEMORY,
        contents=True,
    ),
    Endpoint(
        "PATCH",
        "/v1/memories/{id}",
        "updateMemory",
        "Changes what is given and leaves the rest.",
        "write",
        _update,
        MEMORY,
        body=UPDATE_BODY,
        contents=True,
        changes=True,
    ),
    Endpoint(
        "DELETE",
        "/v1/memories/{id}",
        "forgetMemory",
        "Forgets a memory for good; with `withdraw` its words are refused under any id from now on.",
        "write",
        _forget,
        _RECEIPT,
        query={"withdraw": typed("boolean")},
        contents=True,
        changes=True,
    ),
    Endpoint(
        "POST",
        "/v1/recall",
        "recall",
        "Finds the memories that fit a question, best first; none when nothing fits.",
        "read",
        _recall,
        RECALL,
        body=RECALL_BODY,
        contents=True,
    ),
)
