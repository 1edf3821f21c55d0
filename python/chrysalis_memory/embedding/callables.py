"""Embedders made of functions: of one text or of many, blocking or async."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import suppress
from time import monotonic
from typing import Any, Final, TypeVar

from chrysalis_memory.embedding.naming import name_of
from chrysalis_memory.embedding.protocol import Vector
from chrysalis_memory.errors import ModelError

__all__ = ["CallableEmbedder", "awaited_in"]

Result = TypeVar("Result")

_ASYNC_TIMEOUT_S: Final = 300.0
_LOOK_S: Final = 0.5


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
        self._loop = _Loop()
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
        return self._loop.run(given) if inspect.isawaitable(given) else given

    def close(self) -> None:
        """Ends the event loop of an async function, and what is under way there. After that it embeds no more."""
        self._loop.end()


class _Loop:
    """An event loop in a thread of its own: begun when it is first needed, and not again once it has ended."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._has_ended = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, awaitable: Awaitable[Result]) -> Result:
        return awaited_in(self._begun(), awaitable, _ASYNC_TIMEOUT_S)

    def _begun(self) -> asyncio.AbstractEventLoop | None:
        with self._changing:
            if self._loop is None and not self._has_ended:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_live, args=(self._loop,), name="chrysalis-embedder", daemon=True
                )
                self._thread.start()
            return self._loop

    def end(self) -> None:
        with self._changing:
            self._has_ended = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it ended before
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()


def _live(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.run_until_complete(_end_all())
    loop.close()


async def _end_all() -> None:
    await asyncio.sleep(0)  # what has not begun begins: who cancels it before leaves it unawaited
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def awaited_in(
    loop: asyncio.AbstractEventLoop | None, awaitable: Awaitable[Result], timeout_s: float | None = None
) -> Result:
    """The result of what is awaited in a loop that another thread runs.

    Raises `ModelError` if that loop has ended, or ends meanwhile, and `TimeoutError`.
    """
    work = _awaited(awaitable)
    try:
        if loop is None:
            raise _ended()
        return _answer(_asked(work, loop), loop, timeout_s)
    finally:
        has_ended = loop is None or loop.is_closed()
        for one in (work, awaitable):
            # What never began would be reported as never awaited.
            if inspect.iscoroutine(one) and (has_ended or inspect.getcoroutinestate(one) == inspect.CORO_CREATED):
                one.close()


def _asked(work: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop) -> Future[Result]:
    try:
        return asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError as error:
        raise _ended() from error


def _answer(answer: Future[Result], loop: asyncio.AbstractEventLoop, timeout_s: float | None) -> Result:
    until = None if timeout_s is None else monotonic() + timeout_s
    try:
        while not wait([answer], _LOOK_S).done:
            # What the loop was given in its last moment it never does, and tells nobody.
            if loop.is_closed():
                raise _ended()
            if until is not None and monotonic() > until:
                raise TimeoutError(f"the embedder did not answer within {timeout_s:g} s")
        return answer.result()
    except CancelledError as error:
        raise _ended() from error
    finally:
        if not loop.is_closed():
            answer.cancel()


def _ended() -> ModelError:
    return ModelError(
        "the loop in which the embedder runs has ended",
        code="model_ended",
        hint="Open the store again: what waits for its vectors is embedded then.",
    )


async def _awaited(awaitable: Awaitable[Result]) -> Result:
    return await awaitable
