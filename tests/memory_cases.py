"""What the tests of the memory share: a store in the folder of a test, and an embedder whose vectors are known."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from zlib import crc32

import pytest

from chrysalis_memory import ChrysalisMemory

DIMENSIONS = 64


def bag_of_words(text: str) -> list[float]:
    """A vector that counts words: the more words two texts share, the nearer they are."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.casefold()):
        vector[crc32(word.encode()) % DIMENSIONS] += 1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def eventually(holds: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Whether it comes to hold within this time; asks often, so that tests wait no longer than they must."""
    deadline = monotonic() + within_s
    while not holds():
        if monotonic() > deadline:
            return False
        sleep(0.005)
    return True


def files_hold(memory: ChrysalisMemory, text: str) -> list[str]:
    """The files of the store in whose bytes this text stands."""
    return [path.name for path in memory.path.iterdir() if path.is_file() and text.encode() in path.read_bytes()]


def contents(memories: object) -> list[str]:
    return [one.content for one in memories]


def found(recall: object) -> list[str]:
    return [hit.memory.content for hit in recall]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[ChrysalisMemory]:
    """An empty store without an embedder."""
    with ChrysalisMemory(tmp_path / "store", agent_id="ada", embedder="none") as opened:
        yield opened
