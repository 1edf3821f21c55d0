"""A hub from start to end: the store is opened, ports are taken, and all of it is given back in good order."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import Any, Final

from chrysalis_memory.hub.access import AccessTokens
from chrysalis_memory.hub.audit import AuditLog
from chrysalis_memory.hub.collective import Linked
from chrysalis_memory.hub.desk import Desk
from chrysalis_memory.hub.figures import describe
from chrysalis_memory.hub.health import Health, accepts, store_checks
from chrysalis_memory.hub.http.application import Application
from chrysalis_memory.hub.http.server import HttpServer, bound
from chrysalis_memory.hub.journal import Journal
from chrysalis_memory.hub.metrics import Metrics
from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.hub.thrift import keep_what_is_here
from chrysalis_memory.memory import ChrysalisMemory

__all__ = ["Running", "run"]

_LOOK_S: Final = 1.0  # where a signal does not end a wait, it is noticed by then

AGENT: Final = "hub"
"""The name under which the hub itself speaks; what comes over HTTP speaks in the name of its access token."""


class Running:
    """A hub that runs from `with` to its end; `passphrase` is that of an encrypted store. Raises
    `StoreError`, `LinkError` and `ValueError` when it can't begin.

    >>> import tempfile
    >>> with Running(tempfile.mkdtemp(), HubSettings(port=0, http_port=0, space="team", embedder="none")) as hub:
    ...     hub.ready()["space"], hub.ready()["closed"], hub.ready()["links"].startswith("ws://127.0.0.1:")
    ('team', True, True)
    """

    def __init__(self, store: str | os.PathLike[str], settings: HubSettings, *, passphrase: str | None = None) -> None:
        self._store = Path(store)
        self._passphrase = passphrase
        self._settings = settings
        self._stack = ExitStack()
        self._is_ready = False

    def __enter__(self) -> Running:
        _more_files()
        with ExitStack() as stack:
            self._begin(stack)
            self._stack = stack.pop_all()
        self._is_ready = True
        return self

    def _begin(self, stack: ExitStack) -> None:
        settings = self._settings
        # Files and port first: what is missing or taken must not cost the founding of a space.
        for file in filter(None, (settings.tls_cert, settings.tls_key)):
            Path(file).open("rb").close()
        listening = stack.enter_context(bound(settings.host, settings.http_port))
        is_closed = not settings.open_space
        self.memory = stack.enter_context(
            ChrysalisMemory(
                self._store,
                agent_id=AGENT,
                space=settings.space,
                closed=is_closed,
                passphrase=self._passphrase,
                embedder=settings.embedder,
            )
        )
        self.audit = AuditLog(self.memory.path, bytes_max=settings.audit_bytes_max, files_max=settings.audit_files_max)
        metrics = Metrics()
        self.collective = Linked(self.memory, settings, self.audit, metrics)
        self.desk = self._desk(metrics)
        describe(self.desk, self.collective)
        self._serve(stack, listening)
        self.audit.write("started", space=self.memory.space, links=self.collective.address)
        stack.callback(lambda: self.audit.write("ended"))

    def _desk(self, metrics: Metrics) -> Desk:
        health = Health(interval_s=self._settings.probe_interval_s)
        for name, tried in store_checks(self.memory, self._settings.disk_free_bytes_min).items():
            health.add(name, tried)
        return Desk(self.memory, self._settings, self.audit, health, metrics, self.collective, lambda: self._is_ready)

    def _serve(self, stack: ExitStack, listening: Any) -> None:
        host, health = self._settings.host, self.desk.health
        journal = Journal(self.memory, self.audit)
        journal.start()
        stack.callback(journal.stop)
        self.collective.start()
        stack.callback(self.collective.stop)
        application = Application(self.desk, AccessTokens(self.memory.path))
        stack.callback(application.stop)
        self._http = HttpServer(application.asgi, listening, self._settings)
        self._http.start()
        stack.callback(self._http.stop)
        health.add("http", accepts(host, self._http.port))
        health.add("links", accepts(host, self.collective.port))
        health.add("sync", self.collective.check_alive)

    def __exit__(self, *_: object) -> None:
        self._is_ready = False
        self._stack.close()

    def ready(self) -> dict[str, Any]:
        """Where it listens and what it is, as plain data."""
        scheme = "http" if self._settings.tls_cert is None else "https"
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return {
            "ready": True,
            "links": self.collective.address,
            "http": f"{scheme}://{host}:{self._http.port}",
            "space": self.memory.space,
            "closed": self.memory.closed,
            "role": self.memory.role,
            "replica": self.memory.public_key,
            "pid": os.getpid(),
        }

    def advice(self, store: str) -> list[str]:
        """What the one who started it may want to do next."""
        lines, url = [], self._settings.announce or self.collective.address
        if self.memory.brought_along:
            lines.append(f"{self.memory.brought_along} memories of the store came along into the closed space.")
        if self.memory.closed and self.memory.role == "administrator":
            lines += ["To let an agent in:", f"  chrysalis invite --store {quote(store)} --url {url}"]
        token = f"  chrysalis hub token --store {quote(store)} --right write"
        lines += ["For agents that keep no store, over HTTP:", token]
        return lines


def _more_files() -> None:
    """Each link is a file to the system, which lets a process open as many as it asks for, up to a bound."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # not on every system

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run(
    store: Path,
    settings: HubSettings,
    *,
    passphrase: str | None = None,
    ready_file: Path | None,
    say: Callable[[Running], None],
) -> None:
    """Runs a hub until SIGINT, SIGTERM, or the end of its terminal."""
    ending = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGINT, signal.SIGTERM, *_hang_up()):
        signal.signal(number, end)
    with Running(store, settings, passphrase=passphrase) as running:
        if ready_file is not None:
            _write_whole(ready_file, running.ready())
        say(running)
        keep_what_is_here()
        while not ending.wait(_LOOK_S):
            pass
    if ready_file is not None:
        with suppress(OSError):
            ready_file.unlink()


def _hang_up() -> list[signal.Signals]:
    """The signal that a terminal gives when it is closed, unless whoever started the hub wants it to outlive that."""
    found = getattr(signal, "SIGHUP", None)  # not on every system
    return [] if found is None or signal.getsignal(found) is signal.SIG_IGN else [found]


def _write_whole(path: Path, ready: dict[str, Any]) -> None:
    """Whoever waits for the file never reads a part of it."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(ready) + "\n", encoding="utf-8")
    unfinished.replace(path)
