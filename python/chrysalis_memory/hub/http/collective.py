"""Endpoints that tell how the hub and its space are: health, figures, members, replicas, proofs, the audit log."""

from __future__ import annotations

from typing import Any, Final

from chrysalis_memory.hub.audit import read_audit
from chrysalis_memory.hub.desk import Desk
from chrysalis_memory.hub.health import as_answer
from chrysalis_memory.hub.http.endpoints import Asked, Endpoint, Plain
from chrysalis_memory.hub.http.schema import Schema, array, nullable, object_of, typed

__all__ = ["COLLECTIVE", "HEALTH"]

AUDIT_MAX: Final = 1_000

_TEXT: Final = typed("string")
_COUNT: Final = typed("integer")


def _health(desk: Desk, _: Asked) -> tuple[int, dict[str, Any]]:
    answer = as_answer(desk.health.look())
    return (200 if answer["status"] == "well" else 503), answer


def _ready(desk: Desk, _: Asked) -> tuple[int, dict[str, Any]]:
    return (200 if desk.is_ready() else 503), {"ready": desk.is_ready()}


def _metrics(desk: Desk, _: Asked) -> Plain:
    return Plain(desk.metrics.text(), "text/plain; version=0.0.4; charset=utf-8")


def _status(desk: Desk, _: Asked) -> dict[str, Any]:
    return desk.status()


def _members(desk: Desk, _: Asked) -> dict[str, Any]:
    return {"members": desk.members()}


def _replicas(desk: Desk, _: Asked) -> dict[str, Any]:
    return {"replicas": desk.replicas()}


def _proofs(desk: Desk, _: Asked) -> dict[str, Any]:
    return {"proofs": desk.proofs()}


def _audit(desk: Desk, asked: Asked) -> dict[str, Any]:
    limit, what = asked.query.get("limit", 100), asked.query.get("what")
    return {"entries": read_audit(desk.memory.path, limit=limit, what=what)}


HEALTH: Final[Schema] = object_of(
    {
        "status": typed("string", enum=["well", "unwell"]),
        "checks": typed("object", "each check: ok, or why not", additionalProperties=_TEXT),
        "reasons": array(_TEXT),
    }
)

_STATUS: Final = object_of(
    {
        "version": _TEXT,
        "space": _TEXT,
        "closed": typed("boolean"),
        "role": typed("string", "of this hub in its space"),
        "replica": typed("string", "public key in hex"),
        "uptime_s": typed("number"),
        "links": _COUNT,
        "memories": _COUNT,
        "forgotten": _COUNT,
        "operations": _COUNT,
        "logs": _COUNT,
        "conflicts": _COUNT,
        "store_bytes": _COUNT,
        "disk_free_bytes": _COUNT,
        "embedder": nullable(_TEXT),
    }
)

_MEMBER: Final = object_of(
    {
        "key": _TEXT,
        "role": _TEXT,
        "agents": array(_TEXT, "names under which it spoke last"),
        "joined_at": nullable(_TEXT),
        "invited_by": nullable(_TEXT),
        "invitation": nullable(typed("string", "id of the invitation by which it came in")),
        "removed": typed("boolean"),
        "linked": typed("boolean", "whether a link is up now"),
    }
)

_REPLICA: Final = object_of(
    {
        "key": nullable(_TEXT),
        "role": nullable(_TEXT),
        "address": nullable(_TEXT),
        "linked": typed("boolean"),
        "agreed": typed("boolean", "whether both held the same when they last compared"),
        "lag": nullable(typed("integer", "operations written by this hub that it has not acknowledged")),
        "lag_bytes": nullable(typed("integer", "bytes of operations that were sent and are not acknowledged")),
        "last_contact": nullable(_TEXT),
        "last_error": nullable(_TEXT),
    }
)

_PROOF: Final = object_of(
    {
        "replica": typed("string", "public key of who forked its log"),
        "role": _TEXT,
        "log": _TEXT,
        "place": typed("integer", "the place from which the log is void"),
        "operations": array(_TEXT, "the two that stand there"),
    }
)

COLLECTIVE: Final = (
    Endpoint(
        "GET",
        "/health",
        "health",
        "Tries whether the hub does its work: 503 with reasons when not.",
        "none",
        _health,
        HEALTH,
        quick=True,
    ),
    Endpoint(
        "GET",
        "/ready",
        "ready",
        "Whether it has started and is not about to end.",
        "none",
        _ready,
        object_of({"ready": typed("boolean")}),
        quick=True,
    ),
    Endpoint("GET", "/metrics", "metrics", "Figures for Prometheus.", "read", _metrics, typed("string"), quick=True),
    Endpoint("GET", "/v1/status", "status", "The hub in a few figures.", "read", _status, _STATUS),
    Endpoint(
        "GET",
        "/v1/members",
        "members",
        "Who belongs to the space.",
        "read",
        _members,
        object_of({"members": array(_MEMBER)}),
    ),
    Endpoint(
        "GET",
        "/v1/replicas",
        "replicas",
        "Replicas that this hub has heard of, and how far each lags behind.",
        "read",
        _replicas,
        object_of({"replicas": array(_REPLICA)}),
    ),
    Endpoint(
        "GET",
        "/v1/proofs",
        "proofs",
        "Logs that were proven to fork.",
        "read",
        _proofs,
        object_of({"proofs": array(_PROOF)}),
    ),
    Endpoint(
        "GET",
        "/v1/audit",
        "audit",
        "The last entries of the audit log, oldest first.",
        "admin",
        _audit,
        object_of({"entries": array(typed("object"))}),
        query={"limit": typed("integer", minimum=1, maximum=AUDIT_MAX), "what": typed("string", maxLength=64)},
    ),
)
