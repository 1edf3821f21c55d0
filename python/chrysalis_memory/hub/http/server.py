"""uvicorn in a thread of its own, on a socket that is bound beforehand, so that the port is known and signals are ours.

uvicorn gives a new connection all the time in the world to say what it wants; a thousand that say nothing would keep
everybody else out. `PatientNoMore` closes them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from chrysalis_memory.errors import StoreError
from chrysalis_memory.hub.settings import HubSettings

__all__ = ["HttpServer", "bound"]

START_S: Final = 15.0
STOP_S: Final = 3
"""How long requests under way may take when the hub ends; then they are cut off."""

HEAD_BYTES_MAX: Final = 16 << 10
_BACKLOG: Final = 256


def bound(host: str, port: int) -> socket.socket:
    """A socket bound to this address. Raises `StoreError` with code `port_taken`, and `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise StoreError(
            f"cannot listen on {host} port {port}: {error.strerror}",
            code="cannot_listen",
            hint="Another program may have the port; choose another one, or 0 for one that is free.",
        ) from None
    return made


class PatientNoMore(H11Protocol):
    """Closes a connection that takes too long to say what it wants."""

    header_s: float = 10.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A caller is there; from now on it has so long."""
        super().connection_made(transport)
        self._asked = self.loop.call_later(self.header_s, self._check_asked)
        self._cycles_seen: Any = None

    def _check_asked(self) -> None:
        """Runs every so often: closes the connection unless a request came since the last time or is under way."""
        if self.transport.is_closing():
            return
        is_under_way = self.cycle is not None and not self.cycle.response_complete
        if not is_under_way and self.cycle is self._cycles_seen:
            self.transport.abort()
            return
        self._cycles_seen = self.cycle
        self._asked = self.loop.call_later(self.header_s, self._check_asked)

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        self._asked.cancel()
        super().connection_lost(exc)


class HttpServer:
    """Serves an application from `start` to `stop`."""

    def __init__(self, app: ASGIApp, listening: socket.socket, settings: HubSettings) -> None:
        self._listening = listening
        protocol = type("Protocol", (PatientNoMore,), {"header_s": settings.header_timeout_s})
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=settings.http_connections_max,
            backlog=_BACKLOG,
            timeout_keep_alive=max(1, int(settings.header_timeout_s)),
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
        # What strangers send must not fill the log, and our own mistakes are logged without their words.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="chrysalis-http", daemon=True)
        self._began = threading.Event()
        self._failed: BaseException | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listening.getsockname()[1])

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever started it
            self._failed = error
        finally:
            self._began.set()

    async def _serve(self) -> None:
        serving = asyncio.ensure_future(self._server.serve(sockets=[self._listening]))
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.005)
        self._began.set()
        await serving

    def start(self) -> None:
        """Returns once it accepts connections. Raises what kept it from starting."""
        self._thread.start()
        self._began.wait(START_S)
        if self._failed is not None:
            raise self._failed
        if not self._server.started:
            raise StoreError("the HTTP server did not start", code="cannot_listen", hint="See the log of the hub.")

    def is_alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Ends it; requests under way have a few seconds."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_S * 3)
        self._listening.close()
