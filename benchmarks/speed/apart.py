"""What runs in a process of its own: `python -m benchmarks.speed.apart KIND STORE VECTORS`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import corpus
from benchmarks.speed.lag import find
from benchmarks.speed.vectors import SentenceVectors
from chrysalis_memory import ChrysalisMemory

_QUERIES = 50


def _resident(store: Path, vectors: Path) -> None:
    """Opens, recalls, and tells the seconds of opening and the bytes that this process alone holds."""
    embedder = SentenceVectors(vectors)
    asked = corpus.queries(_QUERIES)
    embedder.keep(asked, embedder.matrix(asked))
    before = _held()
    began = time.perf_counter()
    memory = ChrysalisMemory(store, agent_id="bench", embedder=embedder)
    opened = time.perf_counter() - began
    first = time.perf_counter()
    memory.recall(asked[0])
    first = time.perf_counter() - first
    for text in asked:
        memory.recall(text)
    after = _held()
    memory.close()
    told = {"opened_s": opened, "first_recall_s": first, "python": before, "held": after}
    sys.stdout.write(json.dumps(told) + "\n")


def _held() -> dict[str, int]:
    """Bytes of this process by kind, as Linux tells them; nothing elsewhere."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return {}
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return {"private": private, "own": sizes["Anonymous"], "resident": sizes["Rss"]}


def _find(store: Path, vectors: Path) -> None:
    """For each line that comes: asks until it finds what the line says, and answers with the moment."""
    embedder = SentenceVectors(vectors)
    memory = ChrysalisMemory(store, agent_id="bench", embedder=embedder)
    memory.recall("warm")
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        embedder.keep([asked["question"]], embedder.matrix([asked["content"]]))
        _say("ready")
        _say(repr(find(memory, asked)))
    memory.close()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Runs what the first argument names."""
    kind, store, vectors = arguments
    {"resident": _resident, "find": _find}[kind](Path(store), Path(vectors))


if __name__ == "__main__":
    main(sys.argv[1:])
