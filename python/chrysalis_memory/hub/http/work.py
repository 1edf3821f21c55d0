"""Threads that do what endpoints ask of the store: a fixed number, with a bound on what waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from chrysalis_memory.hub.http.failures import BUSY_RETRY_S, Failure

__all__ = ["Work"]

T = TypeVar("T")


class Work:
    """Runs calls in threads; beyond `waiting_max` at work or waiting it refuses, at once."""

    def __init__(self, *, threads: int, waiting_max: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"chrysalis-{name}")
        self._waiting_max = waiting_max
        self._lock = threading.Lock()
        self.under_way = 0

    async def run(self, call: Callable[[], T]) -> T:
        """The result of the call. Raises `Failure` when there is too much to do already, and what the call raises.

        Whoever stops waiting does not stop the call: it goes on counting as under way until it is done.
        """
        with self._lock:
            if self.under_way >= self._waiting_max:
                raise Failure(503, "busy", "the hub has too much to do", "Try again in a second.", retry_s=BUSY_RETRY_S)
            self.under_way += 1
        future = self._pool.submit(call)
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def _done(self, _: Future[T]) -> None:
        with self._lock:
            self.under_way -= 1

    def stop(self) -> None:
        """Ends the threads once they have done what they are at; what waits is left."""
        self._pool.shutdown(wait=True, cancel_futures=True)
