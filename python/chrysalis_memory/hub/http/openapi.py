"""The description of the interface at /openapi.json (OpenAPI 3.1), made from the table of endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chrysalis_memory.hub.http.endpoints import Endpoint
from chrysalis_memory.hub.http.schema import Schema, typed
from chrysalis_memory.hub.http.shapes import ERROR, ID_CHARACTERS_MAX

__all__ = ["described"]

_FAILURES = {
    400: "Not what is accepted",
    401: "No access token, or a wrong one",
    403: "The token, or the hub, may not do this",
    404: "There is no such memory",
    408: "The body came too slowly",
    413: "Too large",
    414: "Path or query too long",
    415: "The body is not said to be JSON",
    422: "Refused by a rule that every replica follows",
    429: "Too many requests; see Retry-After",
    500: "A mistake of the hub",
    503: "Busy or unwell; see Retry-After",
    504: "Took too long",
    507: "The hub's disk is full",
}


def described(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The whole description."""
    from chrysalis_memory import __version__

    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chrysalis hub",
            "version": __version__,
            "description": "Shared memory for agents that keep no store of their own.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.told,
        "security": [] if endpoint.right == "none" else [{"token": []}],
        "x-right": endpoint.right,
        "parameters": list(_parameters(endpoint)),
        "responses": _responses(endpoint),
    }
    if endpoint.body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": endpoint.body}}}
    return made


def _parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if "{id}" in endpoint.path:
        shape = typed("string", maxLength=ID_CHARACTERS_MAX)
        yield {"name": "id", "in": "path", "required": True, "schema": shape}
    for name, shape in endpoint.query.items():
        yield {"name": name, "in": "query", "required": False, "schema": shape}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    media_type = "text/plain" if endpoint.name == "metrics" else "application/json"
    made = {str(endpoint.status): _response(endpoint.told, endpoint.answer, media_type)}
    for status, told in _FAILURES.items():
        made[str(status)] = _response(told, {"$ref": "#/components/schemas/Error"}, "application/json")
    if endpoint.name in {"health", "ready"}:
        made["503"] = _response("Unwell, or not ready", endpoint.answer, media_type)
    return made


def _response(told: str, schema: Schema, media_type: str) -> dict[str, Any]:
    return {"description": told, "content": {media_type: {"schema": schema}}}
