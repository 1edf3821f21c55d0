"""Asking a summariser, and trusting it with nothing: what it gives is checked, and it may fail or never answer."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, NamedTuple, TypeAlias

from chrysalis_memory.context import _checks
from chrysalis_memory.context.limits import TURN_BYTES_MAX
from chrysalis_memory.context.tokens import TokenCounter, counted
from chrysalis_memory.errors import TooLarge

__all__ = ["Summariser", "SummaryFailed", "asummarised", "summarised"]

Summariser: TypeAlias = Callable[[str, int], "str | Awaitable[str]"]
"""Called with a text and with the tokens that its summary may take at most; sync or async."""


class SummaryFailed(Exception):
    """There is no summary that can be used; the message says why, without the words of the summariser's own error:
    they may hold secrets."""


def summarised(summariser: Summariser, text: str, tokens_max: int, counter: TokenCounter | None, wait_s: float) -> str:
    """The summary, from any thread, also where an event loop runs; raises `SummaryFailed`.

    A function that never returns is left behind in its thread, which does not keep the program from ending.
    """

    def answered() -> Any:
        given = summariser(text, tokens_max)
        return asyncio.run(_awaited(given)) if inspect.isawaitable(given) else given

    try:
        outcome = _started(answered).result(wait_s)
    except FutureTimeout:
        raise _late(wait_s) from None
    return _checked(outcome, tokens_max, counter)


async def asummarised(
    summariser: Summariser, text: str, tokens_max: int, counter: TokenCounter | None, wait_s: float
) -> str:
    """The same, awaited: what is async runs in this event loop, what is not in a thread of its own."""
    try:
        outcome = await asyncio.wait_for(_answer(summariser, text, tokens_max), wait_s)
    except asyncio.TimeoutError:
        raise _late(wait_s) from None
    return _checked(outcome, tokens_max, counter)


class _Outcome(NamedTuple):
    """What a foreign function gave, or what it raised: its own timeout is not one of ours."""

    given: Any = None
    error: BaseException | None = None


async def _answer(summariser: Summariser, text: str, tokens_max: int) -> _Outcome:
    try:
        if inspect.iscoroutinefunction(summariser):
            return _Outcome(await summariser(text, tokens_max))
        outcome = await asyncio.wrap_future(_started(lambda: summariser(text, tokens_max)))
        return _Outcome(await outcome.given) if inspect.isawaitable(outcome.given) else outcome
    except Exception as error:  # noqa: BLE001 - whatever a foreign function raises, the window must not be lost
        return _Outcome(error=error)


async def _awaited(given: Any) -> Any:
    return await given


def _started(answered: Callable[[], Any]) -> Future[_Outcome]:
    future: Future[_Outcome] = Future()
    # From here on it can't be cancelled, so that it can be settled whenever the function returns.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome = _Outcome(answered())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            outcome = _Outcome(error=error)
        future.set_result(outcome)

    threading.Thread(target=run, name="chrysalis-summariser", daemon=True).start()
    return future


def _checked(outcome: _Outcome, tokens_max: int, counter: TokenCounter | None) -> str:
    if outcome.error is not None:
        raise SummaryFailed(f"the summariser failed with {type(outcome.error).__name__}")
    try:
        summary = _checks.text("the summary", outcome.given, TURN_BYTES_MAX).strip()
    except (ValueError, TypeError, TooLarge) as error:
        raise SummaryFailed(str(error)) from None
    if not summary:
        raise SummaryFailed("the summary is empty")
    tokens = counted(summary, counter)
    if tokens > tokens_max:
        raise SummaryFailed(f"the summary takes {tokens} tokens; {tokens_max} were allowed")
    return summary


def _late(wait_s: float) -> SummaryFailed:
    return SummaryFailed(f"the summariser did not answer within {wait_s:g} s")
