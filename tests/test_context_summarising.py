"""Summaries from functions that are trusted with nothing."""

import asyncio
import threading

import pytest

from chrysalis_memory.context.limits import TURN_BYTES_MAX
from chrysalis_memory.context.summarising import SummaryFailed, asummarised, summarised


def by_words(text):
    return len(text.split())


def ask(summariser, tokens_max=10, wait_s=60.0):
    return summarised(summariser, "a long text", tokens_max, by_words, wait_s)


async def aask(summariser, tokens_max=10, wait_s=60.0):
    return await asummarised(summariser, "a long text", tokens_max, by_words, wait_s)


class Awaited:
    """An object that is called, and gives something to await."""

    async def __call__(self, text, tokens_max):
        await asyncio.sleep(0)
        return f"{text}, {tokens_max}"


async def told(text, tokens_max):
    await asyncio.sleep(0)
    return f"{text}, {tokens_max}"


SUMMARISERS = [lambda text, tokens_max: f" {text}, {tokens_max}\n", told, Awaited()]


@pytest.mark.parametrize("summariser", SUMMARISERS)
async def test_sync_and_async_summarisers_are_asked_alike_also_inside_an_event_loop(summariser):
    assert ask(summariser) == await aask(summariser) == "a long text, 10"


async def test_an_async_summariser_runs_in_the_loop_of_its_caller_and_a_sync_one_beside_it():
    places = []

    async def here(*_):
        places.append((asyncio.get_running_loop(), threading.current_thread()))
        return "short"

    def apart(*_):
        places.append((None, threading.current_thread()))
        return "short"

    await aask(here)
    await aask(apart)
    assert places[0] == (asyncio.get_running_loop(), threading.main_thread())
    assert places[1][1] is not threading.main_thread()


def fails(*_):
    raise ValueError("the key sk-123 is wrong")


async def fails_later(*_):
    raise TimeoutError("theirs")


def leaves(*_):
    raise SystemExit


NONSENSE = [
    (lambda *_: None, "the summary is text, not NoneType"),
    (lambda *_: b"short", "the summary is text, not bytes"),
    (lambda *_: "", "the summary is empty"),
    (lambda *_: " \n", "the summary is empty"),
    (lambda *_: "one " * 11, "the summary takes 11 tokens; 10 were allowed"),
    (lambda *_: "x" * (TURN_BYTES_MAX + 1), "at most 4194304 are allowed"),
    (lambda *_: "\ud83d", "half of a character"),
    (lambda _: "short", "the summariser failed with TypeError"),
    (fails, "the summariser failed with ValueError"),
    (fails_later, "the summariser failed with TimeoutError"),
    (leaves, "the summariser failed with SystemExit"),
    ("no function", "the summariser failed with TypeError"),
]


@pytest.mark.parametrize(("summariser", "reason"), NONSENSE)
async def test_nonsense_and_failures_are_told_by_their_kind_alone(summariser, reason):
    with pytest.raises(SummaryFailed, match=reason) as one:
        ask(summariser)
    with pytest.raises(SummaryFailed, match=reason) as other:
        await aask(summariser)
    assert "sk-123" not in f"{one.value}{other.value}"


async def test_who_does_not_answer_in_time_is_left_behind():
    waiting = threading.Event()

    def silent(*_):
        waiting.wait(60)
        return "late"

    async def silent_too(*_):
        await asyncio.Event().wait()

    for summariser in (silent, silent_too):
        with pytest.raises(SummaryFailed, match=r"did not answer within 0\.05 s"):
            await aask(summariser, wait_s=0.05)
    with pytest.raises(SummaryFailed, match=r"did not answer within 0\.05 s"):
        ask(silent, wait_s=0.05)
    waiting.set()


async def test_cancelling_the_caller_is_no_failure_of_the_summariser():
    asked = asyncio.Event()

    async def silent(*_):
        asked.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(aask(silent))
    await asyncio.wait_for(asked.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
