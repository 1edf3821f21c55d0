"""What the tests of the memory share: a store in the folder of a test, and an embedder whose vectors are known."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from zlib import crc32

import pytest

from chrysalis_memory import ChrysalisMemory, Config

DIMENSIONS = 64

WITHIN_S = 60.0
"""How long a test waits for what must come: much longer than it takes, also on a busy machine."""


def bag_of_words(text: str) -> list[float]:
    """A vector that counts words: the more words two texts share, the nearer they are."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.casefold()):
        vector[crc32(word.encode()) % DIMENSIONS] += 1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def eventually(holds: Callable[[], bool], within_s: float = WITHIN_S) -> bool:
    """Whether it comes to hold within this time; asks often, so that tests wait no longer than they must."""
    deadline = monotonic() + within_s
    while not holds():
        if monotonic() > deadline:
            return False
        sleep(0.005)
    return True


def begun_since(before: set[threading.Thread]) -> list[str]:
    """Names of the threads of this package that were not among these. Those of other tests may still be ending."""
    return [one.name for one in threading.enumerate() if one not in before and one.name.startswith("chrysalis")]


def files_hold(memory: ChrysalisMemory, text: str) -> list[str]:
    """The files of the store in whose bytes this text stands."""
    return [path.name for path in memory.path.iterdir() if path.is_file() and text.encode() in path.read_bytes()]


def contents(memories: object) -> list[str]:
    return [one.content for one in memories]


def found(recall: object) -> list[str]:
    return [hit.memory.content for hit in recall]


# Counts of uses are operations too. Written after a while of their own accord, they would change what tests count and
# compare, in those that take long.
UNHURRIED = Config(access_flush_s=3_600)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[ChrysalisMemory]:
    """An empty store without an embedder."""
    with ChrysalisMemory(tmp_path / "store", agent_id="ada", embedder="none", config=UNHURRIED) as opened:
        yield opened
