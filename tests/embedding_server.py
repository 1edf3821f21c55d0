"""A small server that speaks the protocols of Ollama and OpenAI, and fails on request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from memory_cases import bag_of_words

Fault = Callable[["_Handler"], None]


class EmbeddingServer(ThreadingHTTPServer):
    """Answers with bags of words. Each fault in `faults` takes the place of one answer, the first first.

    It has its port at once, so that nobody else gets it, and takes no connections until it is `serving`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self.faults: list[Fault] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.released = threading.Event()
        self.arrived = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def texts(self) -> list[str]:
        """All texts that were asked for, in order."""
        return [text for request in self.requests for text in request["input"]]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that break off are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: EmbeddingServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.keys.append(self.headers["Authorization"])
        self.server.arrived.set()
        if self.server.faults:
            self.server.faults.pop(0)(self)
            return
        vectors = [bag_of_words(text) for text in body["input"]]
        if self.path == "/api/embed":
            self.answer({"model": body["model"], "embeddings": vectors})
        elif self.path == "/v1/embeddings":
            rows = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(vectors)]
            self.answer({"object": "list", "data": rows[::-1], "model": body["model"]})
        else:
            self.answer({"error": "no such path"}, status=404)

    def answer(self, value: Any, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(value).encode(), status, **headers)

    def send(self, data: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing on the screen of the tests."""


def status(code: int, **headers: str) -> Fault:
    return lambda handler: handler.answer({"error": f"status {code}"}, code, **headers)


def raw(data: bytes, length: int | None = None) -> Fault:
    return lambda handler: handler.send(data, length=length)


def hangs(handler: _Handler) -> None:
    """No answer before the test ends."""
    handler.server.released.wait()


def drips(handler: _Handler) -> None:
    """An answer that never ends, byte by byte, each well before any limit on waiting for one."""
    handler.send(b"[", length=1_000_000)
    while not handler.server.released.wait(0.02):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def huge(handler: _Handler) -> None:
    """More bytes than any answer has."""
    handler.send(b"", length=1 << 40)
    while not handler.server.released.is_set():
        handler.wfile.write(b" " * (1 << 20))


@contextmanager
def serving(server: EmbeddingServer) -> Iterator[None]:
    """The server answers."""
    server.server_activate()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.released.set()
        server.shutdown()
        thread.join()


@contextmanager
def running() -> Iterator[EmbeddingServer]:
    """A server that answers, on a free port of this machine."""
    with EmbeddingServer() as server, serving(server):
        yield server
