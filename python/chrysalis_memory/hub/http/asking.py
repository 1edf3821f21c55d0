"""From a request on the wire to a checked one: query, path and body against the shapes of an endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from chrysalis_memory.hub.http.endpoints import Asked, Caller, Endpoint
from chrysalis_memory.hub.http.failures import Failure
from chrysalis_memory.hub.http.schema import Schema, check
from chrysalis_memory.hub.http.shapes import ID_CHARACTERS_MAX
from chrysalis_memory.importing.json_text import BadJson, parse

__all__ = ["asked_of"]

_FIELDS_MAX = 100


async def asked_of(request: Request, endpoint: Endpoint, caller: Caller, *, bytes_max: int, within_s: float) -> Asked:
    """The request, checked. Raises `Failure`, and `ValueError` for what does not fit."""
    memory_id = request.path_params.get("id", "")
    if len(memory_id) > ID_CHARACTERS_MAX:
        raise Failure(414, "too_long", "the id in the path is too long", "Ids have at most 1,024 characters.")
    query = _query(request.url.query, endpoint.query)
    body: Mapping[str, Any] = {}
    if endpoint.body is not None:
        _check_media_type(request)
        body = _body(await _read(request, bytes_max, within_s), endpoint.body)
    return Asked(caller, memory_id, query, body)


def _query(text: str, shapes: Mapping[str, Schema]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX):
        if name not in shapes:
            raise ValueError(f"there is no {name[:40]!r} in the query; it takes {', '.join(shapes) or 'nothing'}")
        shape = shapes[name]
        if shape["type"] == "array":
            found.setdefault(name, []).append(value)
        elif name in found:
            raise ValueError(f"query.{name} is given twice")
        else:
            found[name] = _typed(name, value, str(shape["type"]))
    for name, value in found.items():
        check(value, shapes[name], f"query.{name}")
    return found


def _typed(name: str, value: str, kind: str) -> Any:
    try:
        if kind == "boolean":
            return {"true": True, "false": False}[value]
        return int(value) if kind == "integer" else float(value) if kind == "number" else value
    except (KeyError, ValueError):
        wanted = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}[kind]
        raise ValueError(f"query.{name} is {value[:40]!r}; it must be {wanted}") from None


def _check_media_type(request: Request) -> None:
    # Also what keeps a web page from posting here unasked: for this type a browser asks first, and gets no answer.
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Failure(415, "no_json", "the body is not said to be JSON", "Send Content-Type: application/json.")


async def _read(request: Request, bytes_max: int, within_s: float) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > bytes_max:
        raise _too_large(bytes_max)
    try:
        return await asyncio.wait_for(_read_all(request, bytes_max), within_s)
    except asyncio.TimeoutError:
        raise Failure(408, "too_slow", "the body did not arrive in time", "Send it again, faster.") from None
    except ClientDisconnect:
        raise Failure(400, "cut_short", "the body was cut short", "Send it again.") from None


async def _read_all(request: Request, bytes_max: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
    return bytes(body)


def _too_large(bytes_max: int) -> Failure:
    return Failure(413, "too_large", f"the body has more than {bytes_max} bytes", "Say it in several requests.")


def _body(data: bytes, shape: Schema) -> dict[str, Any]:
    try:
        value = parse(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8") from None
    except BadJson as error:
        raise ValueError(f"the body {error}") from None
    _refuse_half_letters(value)
    check(value, shape)
    return value  # type: ignore[no-any-return]  # the shape is an object


def _refuse_half_letters(value: Any) -> None:
    """Half of a surrogate pair is no text: it could neither be signed nor sent back."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, str):
            if any("\ud800" <= letter <= "\udfff" for letter in inner):
                raise ValueError("the body holds half of a surrogate pair")
        elif isinstance(inner, dict):
            waiting.extend((*inner, *inner.values()))
        elif isinstance(inner, list):
            waiting.extend(inner)
