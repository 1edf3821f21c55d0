"""Embedders made of functions: of one text or of many, blocking or async."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from chrysalis_memory.embedding.naming import name_of
from chrysalis_memory.embedding.protocol import Vector

__all__ = ["CallableEmbedder"]

Result = TypeVar("Result")

_ASYNC_TIMEOUT_S: Final = 300.0


class CallableEmbedder:
    """An embedder made of a function from a text to its vector; with `many`, from a list of texts to theirs.

    The function may be async: it then runs in an event loop of its own, always the same, so that a client it holds
    stays usable. `query` is used for questions, where the model wants them told apart. Give each model a `name`:
    vectors of one name are compared with each other. Without one the function's own is taken, with a digest of what it
    is made of where others may be called the same.

    >>> CallableEmbedder(lambda text: [float(len(text))], name="length").embed(["four", "eleven chars"])
    [[4.0], [12.0]]
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        name: str | None = None,
        many: bool = False,
        query: Callable[[str], Any] | None = None,
    ) -> None:
        self._function = function
        self._many = many
        self._query = query
        self._loop: _Loop | None = None
        self.name = name or name_of(function)

    def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """One call of the function for each text, or one for all with `many`."""
        if self._many:
            return self._result(self._function(list(texts)))  # type: ignore[no-any-return]
        return [self._result(self._function(text)) for text in texts]

    def embed_query(self, text: str) -> Vector:
        """The vector of a question."""
        if self._query is not None:
            return self._result(self._query(text))  # type: ignore[no-any-return]
        return self.embed([text])[0]

    def _result(self, given: Any) -> Any:
        if not inspect.isawaitable(given):
            return given
        if self._loop is None:
            self._loop = _Loop()
        return self._loop.run(given)

    def close(self) -> None:
        """Ends the event loop of an async function."""
        if self._loop is not None:
            self._loop.stop()
            self._loop = None


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chrysalis-embedder", daemon=True)
        self._thread.start()

    def run(self, awaitable: Awaitable[Result]) -> Result:
        future = asyncio.run_coroutine_threadsafe(_awaited(awaitable), self._loop)
        try:
            return future.result(_ASYNC_TIMEOUT_S)
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _awaited(awaitable: Awaitable[Result]) -> Result:
    return await awaitable
