"""Asking a server for vectors: JSON over HTTP, with bounds on time and size, and patience with one that stumbles.

Only what the standard library has is used. Redirections are not followed and no proxy is looked up: words and keys go
to the address that was given, and to no other.
"""

from __future__ import annotations

import http.client
import json
import logging
import random
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from chrysalis_memory.errors import LinkClosed, LinkError, LinkTimeout, ModelError, PeerMisbehaved, Unreachable

__all__ = ["EMBED_PATIENCE_S", "QUESTION_PATIENCE_S", "JsonServer"]

EMBED_PATIENCE_S: Final = 20.0
"""How long one call in the background goes on trying; what waits is tried again later anyway."""

QUESTION_PATIENCE_S: Final = 2.0
"""How long a question goes on trying: an agent waits for it."""

_ANSWER_BYTES_MAX: Final = 32 << 20
_PIECE_BYTES: Final = 1 << 16
_MESSAGE_CHARACTERS: Final = 200
_CONNECT_S: Final = 5.0
_PAUSE_FIRST_S: Final = 0.1
_PAUSE_MOST_S: Final = 5.0
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}

_log = logging.getLogger("chrysalis_memory")


class JsonServer:
    """A server that takes and gives JSON. Many threads may ask at once.

    `timeout_s` bounds one request, from connecting to the last byte. The key is sent to this server and shown nowhere.
    """

    def __init__(self, base_url: str, *, key: str | None = None, timeout_s: float = 30.0) -> None:
        address = urlsplit(base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError(f"{base_url!r} is no address of a server; it must begin with http:// or https://")
        if address.username or address.password or address.query or address.fragment:
            raise ValueError("the address of an embedding server has a path at most; give a key as the key")
        self._address = address
        self._path = address.path.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()
        if key and address.scheme == "http" and not self.is_here:
            _log.warning("the key for %s is sent without encryption; use https", self)

    def __str__(self) -> str:
        return f"{self._address.scheme}://{self._address.netloc}{self._path}"

    def __repr__(self) -> str:
        return f"JsonServer({str(self)!r}, key={'***' if self._key else None})"

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine."""
        return self._address.hostname in _LOOPBACK

    @property
    def place(self) -> str:
        """Host and port."""
        return self._address.netloc

    def post(self, path: str, body: Mapping[str, Any], patience_s: float) -> Any:
        """The answer to a request, tried again while it may help and `patience_s` lasts.

        Raises `Unreachable`, `LinkTimeout`, `PeerMisbehaved` or `LinkError` for a server that is away, slow, broken or
        busy, and `ModelError` for one that refuses.
        """
        data = json.dumps(body).encode()
        until = monotonic() + patience_s
        pause_s = _PAUSE_FIRST_S
        while True:
            try:
                return self._once(path, data)
            except (Unreachable, LinkTimeout):
                # Seconds will not bring it back; whoever waits in the background tries again after longer pauses.
                raise
            except LinkError as error:
                # Jitter, so that many that were turned away together do not come back together.
                wait_s = max(_asked_to_wait(error), pause_s * random.uniform(0.5, 1.5))  # noqa: S311
                if monotonic() + wait_s > until or self._ended.wait(wait_s):
                    raise
                pause_s = min(pause_s * 2, _PAUSE_MOST_S)

    def close(self) -> None:
        """Ends what is under way and refuses what comes: closing a store must not wait for a server that hangs."""
        self._ended.set()
        for connected in list(self._open):
            # A read in another thread returns when the socket is shut down, and not when it is closed.
            _shut_down(connected)

    def _once(self, path: str, data: bytes) -> Any:
        deadline = monotonic() + self._timeout_s
        connection = self._connection()
        try:
            connection.connect()
            connected = connection.sock
            with self._watched(connected):
                connected.settimeout(self._timeout_s)
                connection.request("POST", self._path + path, data, self._headers())
                # The response keeps the socket when the server says that it will close, so it is closed by itself.
                with closing(connection.getresponse()) as response:
                    return self._parsed(response, self._content(connected, response, deadline))
        except TimeoutError as error:
            raise self._slow() from error
        except http.client.HTTPException as error:
            raise PeerMisbehaved(f"{self} broke off its answer or speaks no HTTP", address=str(self)) from error
        except OSError as error:
            raise Unreachable(f"{self} does not answer ({error})", hint=_HINT_AWAY, address=str(self)) from error
        finally:
            connection.close()

    @contextmanager
    def _watched(self, connected: socket.socket) -> Iterator[None]:
        """While it is used, `close` can end it."""
        self._open.add(connected)
        try:
            if self._ended.is_set():
                raise LinkClosed(f"the embedder of {self} is closed", address=str(self))
            yield
        finally:
            self._open.discard(connected)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        patience_s = min(self._timeout_s, _CONNECT_S)
        if self._address.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=patience_s, context=context)
        return http.client.HTTPConnection(host, port, timeout=patience_s)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "chrysalis-memory"}
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    def _content(self, connected: socket.socket, response: http.client.HTTPResponse, deadline: float) -> bytes:
        # Counted here, and not by the response: not every Python counts what `read1` gave.
        wanted = response.length
        pieces, size = [], 0
        while wanted is None or size < wanted:
            left_s = deadline - monotonic()
            if left_s <= 0:
                raise self._slow()
            connected.settimeout(left_s)
            piece = response.read1(_PIECE_BYTES)
            if not piece:
                break
            size += len(piece)
            if size > _ANSWER_BYTES_MAX:
                raise PeerMisbehaved(f"{self} answers with more than {_ANSWER_BYTES_MAX} bytes", address=str(self))
            pieces.append(piece)
        if wanted is not None and size < wanted:
            raise http.client.IncompleteRead(b"", wanted - size)
        return b"".join(pieces)

    def _slow(self) -> LinkTimeout:
        return LinkTimeout(f"{self} did not answer within {self._timeout_s:g} s", hint=_HINT_SLOW, address=str(self))

    def _parsed(self, response: http.client.HTTPResponse, content: bytes) -> Any:
        if response.status != http.HTTPStatus.OK:
            raise self._refusal(response, self._shown(content))
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise PeerMisbehaved(f"{self} answers with something that is no JSON", address=str(self)) from None

    def _refusal(self, response: http.client.HTTPResponse, said: str) -> LinkError | ModelError:
        status = response.status
        what = f"{self} answers {status}: {said}"
        if status == http.HTTPStatus.TOO_MANY_REQUESTS or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            wait_s = _seconds(response.getheader("Retry-After"))
            return LinkError(what, code="busy", hint=_HINT_BUSY, address=str(self), retry_after_s=wait_s)
        if status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
            return ModelError(what, code="model_key_refused", hint=_HINT_KEY)
        if status == http.HTTPStatus.NOT_FOUND:
            return ModelError(what, code="model_missing", hint=_HINT_MISSING)
        if status < http.HTTPStatus.BAD_REQUEST:
            return ModelError(f"{what} (redirections are not followed)", code="model_address", hint=_HINT_MISSING)
        return ModelError(what, code="model_refused", hint="The server's own words say why.")

    def _shown(self, content: bytes) -> str:
        text = " ".join(content[: 4 * _MESSAGE_CHARACTERS].decode("utf-8", "replace").split())
        if self._key:
            text = text.replace(self._key, "***")
        return text[:_MESSAGE_CHARACTERS] or "nothing"


_HINT_AWAY: Final = (
    "Start the server, or check its address. What waits for vectors is embedded once it is back; words are found "
    "meanwhile."
)
_HINT_SLOW: Final = "The server is too slow or still loading the model; what waits is tried again by itself."
_HINT_BUSY: Final = "The server asks to wait; what waits is tried again by itself."
_HINT_KEY: Final = "Give the key as `embedder_key` in Config, or in the variable CHRYSALIS_EMBEDDER_KEY."
_HINT_MISSING: Final = "Check the model's name and the address; a server of Ollama fetches a model by `ollama pull`."


def _asked_to_wait(error: LinkError) -> float:
    return float(error.data.get("retry_after_s") or 0.0)


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; the form with a date is rare here, and our own pauses do as well."""
    try:
        return max(0.0, float(header or ""))
    except ValueError:
        return None


def _shut_down(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
