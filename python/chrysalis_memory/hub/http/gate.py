"""The gate before every request: who asks, how often, how long it may take; and what is counted of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any, Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chrysalis_memory.hub.access import AccessTokens
from chrysalis_memory.hub.buckets import Buckets, whole_seconds
from chrysalis_memory.hub.http.endpoints import Caller
from chrysalis_memory.hub.http.failures import Failure, failure_of, log_mistake
from chrysalis_memory.hub.metrics import Metrics
from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.network.addresses import is_loopback

__all__ = ["CALLER", "TEMPLATE", "Gate", "refusal"]

CALLER: Final = "chrysalis.caller"
TEMPLATE: Final = "chrysalis.template"
"""Keys of the scope: who asks, and which row of the table serves it."""

_TWO_LENGTHS: Final = "two_lengths"
_AUTHORIZATION_CHARACTERS_MAX: Final = 256
_PROXIED: Final = {b"x-forwarded-for", b"x-forwarded-host", b"forwarded", b"x-real-ip"}


def refusal(failure: Failure) -> JSONResponse:
    """The failure as an answer."""
    headers = {}
    if failure.retry_s is not None:
        headers["Retry-After"] = whole_seconds(failure.retry_s)
    if failure.code == _TWO_LENGTHS:
        headers["Connection"] = "close"
    if failure.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="chrysalis"'
    return JSONResponse(failure.to_dict(), failure.status, headers)


class Gate:
    """ASGI middleware; nothing behind it is reached without passing."""

    def __init__(self, app: ASGIApp, *, settings: HubSettings, tokens: AccessTokens, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._tokens = tokens
        self._rates = Buckets(per_s=settings.requests_per_s, burst=settings.requests_burst)
        per_minute = settings.wrong_tokens_per_minute
        self._wrong = Buckets(per_s=per_minute / 60, burst=per_minute)
        self._requests = metrics.counter("chrysalis_hub_http_requests_total", "Requests over HTTP, by answer.")
        self._seconds = metrics.histogram("chrysalis_hub_http_seconds", "How long requests took.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        began = time.monotonic()
        try:
            await asyncio.wait_for(self._serve(scope, receive, answer), self._settings.request_timeout_s)
        except asyncio.TimeoutError:
            failure = Failure(504, "timeout", "the request took too long", "Ask for less, or try again.", retry_s=1)
            await self._give_up(failure, scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last door: what nobody expected is answered in JSON, too
            log_mistake(error)
            await self._give_up(failure_of(error), scope, receive, answer)
        finally:
            # Only our own paths are labels; what strangers make up would never end.
            path = scope.get(TEMPLATE, "other")
            self._requests.add(method=_method(scope), path=path, status=str(answer.status))
            self._seconds.observe(time.monotonic() - began, path=path)

    async def _serve(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            scope[CALLER] = self._passes(scope)
        except Failure as failure:
            await refusal(failure)(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    async def _give_up(self, failure: Failure, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if answer.status:
            # The answer had begun, and its reader is too slow or gone: without an end the connection is closed.
            raise ConnectionError("the answer was not read to its end")
        await refusal(failure)(scope, receive, answer)

    def _passes(self, scope: Scope) -> Caller:
        if len(scope["raw_path"]) + len(scope["query_string"]) > self._settings.query_bytes_max:
            raise Failure(414, "too_long", "path and query are too long", "Ask with POST /v1/recall instead.")
        _check_one_length(scope)
        caller = self._caller(scope)
        wait_s = self._rates.take(caller.counted_as, now_s=time.monotonic())
        if wait_s:
            raise Failure(
                429, "too_many_requests", "too many requests", "Wait as long as Retry-After says.", retry_s=wait_s
            )
        return caller

    def _caller(self, scope: Scope) -> Caller:
        address = scope["client"][0] if scope.get("client") else "unknown"
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if given:
            return self._with_token(given, address)
        may_stay_out = is_loopback(address) and _is_from_here(scope)
        right = self._settings.loopback_right if may_stay_out else "none"
        return Caller("loopback", right, f"address {address}")

    def _with_token(self, given: list[bytes], address: str) -> Caller:
        wait_s = self._wrong.wait_s(address, now_s=time.monotonic())
        if wait_s:
            raise Failure(
                429, "too_many_wrong_tokens", "too many wrong access tokens", "Check the token.", retry_s=wait_s
            )
        secret = _bearer(given)
        token = None if secret is None else self._tokens.find(secret, now_ms=int(time.time() * 1000))
        if token is None:
            self._wrong.take(address, now_s=time.monotonic())
            raise Failure(
                401,
                "wrong_token",
                "this access token is none, or has expired",
                "Make one with `chrysalis hub token`, and send it as `Authorization: Bearer ...`.",
            )
        return Caller(token.name, token.right, f"token {token.id}", token.id)


def _check_one_length(scope: Scope) -> None:
    """A proxy may have gone by the other length: then what follows here is the body of one request there, and the
    beginning of another one's, perhaps somebody else's (RFC 9112, section 6.3)."""
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
        raise Failure(400, _TWO_LENGTHS, "the request says its length in two ways", "Send one of the two headers.")


def _bearer(given: list[bytes]) -> str | None:
    if len(given) != 1 or len(given[0]) > _AUTHORIZATION_CHARACTERS_MAX:
        return None
    scheme, _, secret = given[0].decode("latin-1").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _is_from_here(scope: Scope) -> bool:
    """Whether a program of this machine asks for itself: no proxy, and no web page in a browser, not even one whose
    name was made to lead here (DNS rebinding)."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if headers.keys() & (_PROXIED | {b"origin"}):
        return False
    host = headers.get(b"host", b"").decode("latin-1")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name)


def _method(scope: Scope) -> str:
    known = {"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"}
    return scope["method"] if scope["method"] in known else "other"


class _Answer:
    """Passes an answer on, notes its status, and adds what every answer says."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            _add_headers(message)
        await self._send(message)


def _add_headers(message: MutableMapping[str, Any]) -> None:
    message["headers"] = [
        *message.get("headers", []),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
