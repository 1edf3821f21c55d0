"""uvicorn in a thread of its own, on a socket that is bound beforehand, so that the port is known and signals are ours.

uvicorn gives a new connection all the time in the world to say what it wants; a thousand that say nothing would keep
everybody else out. `PatientNoMore` closes them. And it begins a handshake of TLS with whoever connects; here each
connection first passes the gate and the doorway that links pass too.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from chrysalis_memory.errors import StoreError
from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.network import _tls
from chrysalis_memory.network._doorway import Doorway
from chrysalis_memory.network._gate import Gate

__all__ = ["HttpServer", "bound"]

START_S: Final = 15.0
STOP_S: Final = 3
"""How long requests under way may take when the hub ends; then they are cut off."""

HEAD_BYTES_MAX: Final = 16 << 10
_BACKLOG: Final = 256

TOLD_MAX: Final = 64
"""Connections beyond the setting that are still let in, to be told 503; further ones are cut off unheard."""

_UNBOUNDED_PER_S: Final = 1e9
_LOOK_S: Final = 0.05


def bound(host: str, port: int) -> socket.socket:
    """A socket bound to this address. Raises `StoreError` with code `port_taken`, and `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6 and socket.has_dualstack_ipv6():
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
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

    def __init__(self, doorway: Doorway, **more: Any) -> None:
        super().__init__(**more)
        self._doorway = doorway

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
        self._doorway.left()


class Doorways:
    """Makes what stands before each connection: the gate counts it, then TLS, if there is any, has so long."""

    def __init__(self, settings: HubSettings) -> None:
        links_max = settings.http_connections_max + TOLD_MAX
        has_tls = settings.tls_cert is not None
        # Without TLS of our own a connection costs little, and behind a proxy all have one source.
        arrivals_per_s = settings.arrivals_per_s if has_tls else _UNBOUNDED_PER_S
        self._gate = Gate(links_max=links_max, links_per_source_max=links_max, arrivals_per_s=arrivals_per_s)
        # Clients over HTTP are anybody's, and some are older than TLS 1.3.
        least, cert = ssl.TLSVersion.TLSv1_2, settings.tls_cert
        self._tls = None if cert is None else _tls.listening(cert, settings.tls_key, least)
        self._handshake_s = settings.open_timeout_s
        self._waiting: set[Doorway] = set()
        self._protocol = type("Protocol", (PatientNoMore,), {"header_s": settings.header_timeout_s})

    def __call__(self, **more: Any) -> asyncio.Protocol:
        """For one connection, called by uvicorn as if it were its protocol."""
        waiting, handshake_s = self._waiting, self._handshake_s
        return Doorway(self._gate, self._tls, handshake_s, waiting, lambda doorway: self._protocol(doorway, **more))

    def cut(self) -> None:
        """Ends the handshakes that are under way."""
        for doorway in list(self._waiting):
            doorway.cut()


class HttpServer:
    """Serves an application from `start` to `stop`."""

    def __init__(self, app: ASGIApp, listening: socket.socket, settings: HubSettings) -> None:
        self._listening = listening
        self._doorways = Doorways(settings)
        config = uvicorn.Config(
            app,
            http=self._doorways,  # type: ignore[arg-type]
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
        while not (self._server.should_exit or serving.done()):
            await asyncio.sleep(_LOOK_S)
        self._doorways.cut()
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
