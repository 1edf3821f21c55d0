"""Awaited calls on a store run beside the loop, with a memory of either class."""

import asyncio
import threading

import pytest

from chrysalis_memory import AgentMemory, StoreError
from chrysalis_memory.context._threads import in_thread
from crystal_cases import store


def thread_of(memory):
    return threading.current_thread(), memory


def test_a_call_runs_in_another_thread_and_the_loop_goes_on(tmp_path):
    async def main():
        entered, go_on = threading.Event(), threading.Event()

        def wait(memory):
            entered.set()
            return go_on.wait(10), memory

        with store(tmp_path) as memory:
            waiting = asyncio.create_task(in_thread(memory, wait))
            assert await asyncio.to_thread(entered.wait, 10)
            # Only a loop that goes on gets here.
            go_on.set()
            assert await waiting == (True, memory)

    asyncio.run(main())


def test_an_agent_s_calls_run_in_the_agent_s_own_threads(tmp_path):
    async def main():
        async with AgentMemory("ada", path=tmp_path, embedder="none", sync=False) as memory:
            thread, given = await in_thread(memory, thread_of)
            assert thread.name.startswith("chrysalis-ada")
            assert given is memory.blocking
        with pytest.raises(StoreError):
            await in_thread(memory, thread_of)

    asyncio.run(main())
