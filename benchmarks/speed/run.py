"""One run: everything about every size, as one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.corpus import TopicEmbedder
from benchmarks.speed.filled import Filled, fill, questions
from benchmarks.speed.lag import lags
from benchmarks.speed.recalling import agreement, recalls
from benchmarks.speed.sentences import sentences
from benchmarks.speed.stages import stages
from benchmarks.speed.vectors import SentenceVectors, prepare

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["Plan", "measure_all"]

_QUESTIONS = 200
_ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    sizes: Sequence[int]
    sentences: int = 4_000
    rounds: int = 5
    calls: int = 300
    lag_rounds: int = 30


@dataclass(frozen=True)
class _Ground:
    folder: Path
    vectors: SentenceVectors
    asked: Any
    """The vectors of the questions, which are in hand when they are asked."""
    model: SharedEmbedder | None
    plan: Plan
    say: Callable[[str], None]


def measure_all(
    plan: Plan, model: SharedEmbedder | None, folder: Path | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """Every size in a store of its own, one after the other."""
    with tempfile.TemporaryDirectory(prefix="chrysalis-speed-", dir=folder, ignore_cleanup_errors=True) as made:
        vectors, asked = _vectors(Path(made), model, plan, say)
        ground = _Ground(Path(made), vectors, asked, model, plan, say)
        sizes = {str(size): _of_size(ground, size) for size in plan.sizes}
    source = "made-up topics, without a model" if model is None else f"sentences embedded by {model.name}"
    return {"vectors": source, "sizes": sizes}


def _vectors(
    folder: Path, model: SharedEmbedder | None, plan: Plan, say: Callable[[str], None]
) -> tuple[SentenceVectors, Any]:
    import numpy

    texts = sentences(plan.sentences + _QUESTIONS)
    say(f"embedding {len(texts):,} sentences to learn from")
    rows = (model or TopicEmbedder()).matrix(texts)
    # Questions are spread over all sentences, and no vector is made from them.
    step = len(rows) // _QUESTIONS
    held = list(range(0, len(rows), step))[:_QUESTIONS]
    return prepare(numpy.delete(rows, held, axis=0), folder / "vectors.npz"), rows[held]


def _of_size(ground: _Ground, size: int) -> dict[str, Any]:
    plan, say = ground.plan, ground.say
    folder = ground.folder / str(size)
    folder.mkdir()
    say(f"{size:,}: filling")
    filled = fill(folder, size, ground.vectors, say)
    asked = questions(filled, ground.asked)
    say(f"{size:,}: recalling")
    told: dict[str, Any] = {"filling": filled.rates, **recalls(filled, asked, plan.rounds, plan.calls)}
    told["nearest_found"] = agreement(filled, asked)
    told["stages"] = stages(filled, asked, _embedding(ground.model))
    say(f"{size:,}: from remembered to recallable")
    told["lag"] = lags(filled, plan.lag_rounds)
    filled.close()
    told["disk"] = _disk(filled, folder / "store")
    told["opening"] = _opening(folder / "store", ground.vectors.path)
    return told


def _embedding(model: SharedEmbedder | None) -> Callable[[str], object] | None:
    """Embeds a question anew each time, as a question is."""
    if model is None:
        return None
    count = iter(range(1_000_000_000))
    return lambda text: model.embed([f"{text} {next(count)}"])


def _disk(filled: Filled, store: Path) -> dict[str, float]:
    """Bytes a memory, by file."""
    count = filled.size + 0.0
    return {path.name: path.stat().st_size / count for path in sorted(store.iterdir()) if path.is_file()}


def _opening(store: Path, vectors: Path) -> dict[str, Any]:
    """Three processes, one after the other: the middle of their times, and what the last one held."""
    command = [sys.executable, "-m", "benchmarks.speed.apart", "resident", str(store), str(vectors)]
    runs = []
    for _ in range(3):
        done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, check=True, text=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    times = {name: median(run[name] for run in runs) for name in ("opened_s", "first_recall_s")}
    return {**times, "python": runs[-1]["python"], "held": runs[-1]["held"]}
