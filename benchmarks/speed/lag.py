"""From the return of `remember` to the memory being found: by words and by vector, here and in another process."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.speed.contents import records
from benchmarks.speed.figures import quantiles
from benchmarks.speed.filled import Filled

__all__ = ["find", "lags"]

_PATIENCE_S = 20.0
_ROOT = Path(__file__).parent.parent.parent


def lags(filled: Filled, rounds: int) -> dict[str, dict[str, float]]:
    """Quantiles of so many memories, each with a word and a vector that no other has."""
    chance = random.Random(11)
    told: dict[str, list[float]] = {}
    with subprocess.Popen(
        _command(filled), cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        for number in range(rounds):
            for mode in ("text", "vector"):
                told.setdefault(f"{mode}, this process", []).append(_here(filled, mode, number, chance))
                told.setdefault(f"{mode}, another process", []).append(_there(filled, child, mode, number, chance))
        if child.stdin is not None:
            child.stdin.close()
    return {name: quantiles(seconds) for name, seconds in told.items()}


def _command(filled: Filled) -> list[str]:
    paths = [str(filled.memory.path), str(filled.embedder.path)]
    return [sys.executable, "-m", "benchmarks.speed.apart", "find", *paths]


def _new(mode: str, number: int, chance: random.Random) -> dict[str, str]:
    """What to remember, and what to ask for it: its own word, or something without a word of it but with its vector."""
    word = f"q{chance.getrandbits(60):x}"
    content = f"{next(records(number, 1))['content']} {word}"
    return {
        "content": content,
        "mode": mode,
        "question": word if mode == "text" else f"question{chance.getrandbits(60)}",
    }


def _here(filled: Filled, mode: str, number: int, chance: random.Random) -> float:
    asked = _new(mode, number, chance)
    filled.embedder.keep([asked["question"]], filled.embedder.matrix([asked["content"]]))
    filled.memory.remember(asked["content"])
    began = time.monotonic()
    return find(filled.memory, asked) - began


def _there(filled: Filled, child: subprocess.Popen[str], mode: str, number: int, chance: random.Random) -> float:
    asked = _new(mode, number, chance)
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the other process has no pipes")
    child.stdin.write(json.dumps(asked) + "\n")
    child.stdin.flush()
    child.stdout.readline()
    filled.memory.remember(asked["content"])
    began = time.monotonic()
    # It may be found before `remember` has returned: on disk is on disk.
    return max(float(child.stdout.readline()) - began, 0.0)


def find(memory: Any, asked: dict[str, str]) -> float:
    """Asks until the memory is found, and returns the moment, as `time.monotonic` has it for every process."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        hits = memory.recall(asked["question"], k=5, mode=asked["mode"])
        if any(hit.memory.content == asked["content"] for hit in hits):
            return time.monotonic()
    raise RuntimeError(f"not found by {asked['mode']} within {_PATIENCE_S:.0f} s")
