"""The HTTP application: the table of endpoints behind the gate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from chrysalis_memory.hub.access import AccessTokens
from chrysalis_memory.hub.desk import Desk
from chrysalis_memory.hub.http.asking import asked_of
from chrysalis_memory.hub.http.collective import COLLECTIVE
from chrysalis_memory.hub.http.endpoints import Asked, Caller, Endpoint, Plain
from chrysalis_memory.hub.http.failures import Failure, failure_of, log_mistake
from chrysalis_memory.hub.http.gate import CALLER, TEMPLATE, Gate, refusal
from chrysalis_memory.hub.http.memories import MEMORIES
from chrysalis_memory.hub.http.openapi import described
from chrysalis_memory.hub.http.work import Work

__all__ = ["ENDPOINTS", "Application"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = (*COLLECTIVE, *MEMORIES)

_QUICK_WAITING_MAX: Final = 64
_WRITERS: Final = {"writer", "validator", "administrator"}

Serving = Callable[[Request], Awaitable[Response]]


class Application:
    """What uvicorn serves, as `asgi`; `stop` ends its threads."""

    def __init__(self, desk: Desk, tokens: AccessTokens) -> None:
        self._desk = desk
        settings = desk.settings
        self._work = Work(threads=settings.http_threads, waiting_max=settings.http_requests_max, name="http")
        self._quick = Work(threads=1, waiting_max=_QUICK_WAITING_MAX, name="health")
        gate = Middleware(Gate, settings=settings, tokens=tokens, metrics=desk.metrics)
        self.asgi = Starlette(
            routes=[*map(self._route, ENDPOINTS), Route("/openapi.json", _openapi)],
            middleware=[gate],
            exception_handlers={HTTPException: _no_route},
        )

    def _route(self, endpoint: Endpoint) -> Route:
        # An id may hold anything, slashes too.
        path = endpoint.path.replace("{id}", "{id:path}")
        return Route(path, self._serving(endpoint), methods=[endpoint.method], name=endpoint.name)

    def _serving(self, endpoint: Endpoint) -> Serving:
        async def serve(request: Request) -> Response:
            request.scope[TEMPLATE] = endpoint.path
            try:
                return _answer(endpoint, await self._served(endpoint, request))
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets JSON and no trace
                return refusal(_told(error))

        return serve

    async def _served(self, endpoint: Endpoint, request: Request) -> Any:
        caller: Caller = request.scope[CALLER]
        self._check_right(endpoint, caller)
        settings = self._desk.settings
        asked = await asked_of(
            request, endpoint, caller, bytes_max=settings.body_bytes_max, within_s=settings.request_timeout_s / 2
        )
        work = self._quick if endpoint.quick else self._work
        return await work.run(lambda: self._do(endpoint, asked))

    def _check_right(self, endpoint: Endpoint, caller: Caller) -> None:
        right = "none" if endpoint.name == "metrics" and self._desk.settings.open_metrics else endpoint.right
        if caller.may(right):
            return
        if caller.token is None:
            hint = "Make one with `chrysalis hub token`, and send it as `Authorization: Bearer ...`."
            raise Failure(401, "no_token", "this needs an access token", hint)
        message = f"this needs the right to {right}, and the token has that to {caller.right}"
        raise Failure(403, "not_allowed", message, "Use a token with that right.")

    def _do(self, endpoint: Endpoint, asked: Asked) -> Any:
        if endpoint.contents:
            self._check_role(endpoint)
        return endpoint.do(self._desk, asked)

    def _check_role(self, endpoint: Endpoint) -> None:
        role = self._desk.role()
        if role == "relay":
            message = "this hub is a relay: it carries memories between members and shows none"
            raise Failure(403, "relay", message, "Ask a replica that is a reader or more.")
        if endpoint.changes and role not in _WRITERS:
            message = f"this hub is a {role} in its space and does not write"
            raise Failure(403, "not_a_writer", message, "Write with a store of your own that joined the space.")

    def stop(self) -> None:
        """Ends the threads, after what they are at."""
        self._work.stop()
        self._quick.stop()


def _answer(endpoint: Endpoint, answer: Any) -> Response:
    if isinstance(answer, Plain):
        return PlainTextResponse(answer.text, media_type=answer.media_type)
    if isinstance(answer, tuple):
        status, body = answer
        return JSONResponse(body, status)
    return JSONResponse(answer, endpoint.status)


def _told(error: Exception) -> Failure:
    failure = failure_of(error)
    if failure.status == 500:
        log_mistake(error)
    return failure


_DESCRIPTION: Final = described(ENDPOINTS)


async def _openapi(request: Request) -> Response:
    request.scope[TEMPLATE] = "/openapi.json"
    return JSONResponse(_DESCRIPTION)


async def _no_route(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    code, message = ("no_method", "not with this method") if status == 405 else ("no_path", "there is nothing here")
    return refusal(Failure(status, code, message, "See /openapi.json for what there is."))
