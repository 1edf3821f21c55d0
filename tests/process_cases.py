"""Several processes for tests, and what they run; a module of its own, so that they can import it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from chrysalis_memory import ChrysalisMemory

WITHIN_S = 120
WORKERS = 4


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """Processes that began on their own, as other programs do, and not as copies of this one."""
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def together(pool: ProcessPoolExecutor, call: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> list[Any]:
    running = [pool.submit(call, *one) for one in arguments]
    return [one.result(timeout=WITHIN_S) for one in running]


def write(path: str, worker: int, count: int) -> list[str]:
    with ChrysalisMemory(path, agent_id=f"worker-{worker}", embedder="none") as memory:
        return [memory.remember(f"worker{worker} says {number}", tags=[f"w{worker}"]).id for number in range(count)]


def write_in_batches(path: str, worker: int, batches: int, size: int) -> int:
    with ChrysalisMemory(path, agent_id=f"worker-{worker}", embedder="none") as memory:
        for number in range(batches):
            with memory.batch():
                for index in range(size):
                    memory.remember(f"worker{worker} batch {number} index {index}", tags=[f"w{worker}b{number}"])
    return batches * size


def edit(path: str, id: str, worker: int, count: int) -> str:
    with ChrysalisMemory(path, agent_id=f"worker-{worker}", embedder="none") as memory:
        for number in range(count):
            memory.update(id, content=f"worker{worker} wording {number}", add_tags=[f"w{worker}n{number}"])
        return memory.public_key


def recall(path: str, query: str) -> list[str]:
    with ChrysalisMemory(path, embedder="none") as memory:
        return [hit.memory.content for hit in memory.recall(query, k=1_000)]


def open_close(path: str, times: int) -> int:
    for _ in range(times):
        with ChrysalisMemory(path, embedder="none") as memory:
            memory.remember("opened")
    return times


def raise_not_found(path: str) -> Any:
    with ChrysalisMemory(path, embedder="none") as memory:
        return memory.forget("unknown")
