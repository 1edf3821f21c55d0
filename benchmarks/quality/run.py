"""One run: every system over every collection, as one JSON object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.quality.collection import Collection
from benchmarks.quality.earlier import Earlier
from benchmarks.quality.kinds import KINDS, OURS
from benchmarks.quality.measure import Measured, measure
from benchmarks.quality.nothing import silence
from benchmarks.quality.system import Missing, versions

if TYPE_CHECKING:
    from benchmarks.quality.embeddings import SharedEmbedder

__all__ = ["Run", "measure_all"]

Run = dict[str, Any]


def measure_all(
    collections: Sequence[Collection],
    systems: Sequence[str],
    embedder: SharedEmbedder | None,
    say: Callable[[str], None],
    earlier: Earlier,
) -> tuple[Run, list[dict[str, Any]]]:
    """The figures of every collection and system, and those of every single question.

    A system that can't be measured is named with the reason, and has no figures.
    """
    told: Run = {"systems": _described(systems), "collections": {}}
    single: list[dict[str, Any]] = []
    for collection in collections:
        measured, missing = _measure_each(collection, systems, embedder, say, earlier)
        ours = measured.get(OURS)
        told["collections"][collection.name] = {
            "shape": collection.shape(),
            "systems": {name: found.summary(ours) for name, found in measured.items()},
            "missing": missing,
            "nothing": silence(KINDS[OURS], collection, embedder, say) if ours else None,
        }
        for name, found in measured.items():
            single.extend({"collection": collection.name, "system": name, **row} for row in found.each())
    return told, single


def _described(systems: Sequence[str]) -> dict[str, Any]:
    kinds = [KINDS[name] for name in systems]
    return {kind.name: {"title": kind.title, "note": kind.note, "versions": versions(kind)} for kind in kinds}


def _measure_each(
    collection: Collection,
    systems: Sequence[str],
    embedder: SharedEmbedder | None,
    say: Callable[[str], None],
    earlier: Earlier,
) -> tuple[dict[str, Measured], dict[str, str]]:
    measured: dict[str, Measured] = {}
    missing: dict[str, str] = {}
    for name in systems:
        try:
            known = None if name == OURS else earlier.of(collection, name)
            measured[name] = known or measure(KINDS[name], collection, embedder, say)
        except Missing as reason:
            missing[name] = str(reason)
        except Exception as error:
            if name == OURS:
                raise
            # What fails in somebody else's system is told, and must not end the run.
            missing[name] = f"failed: {type(error).__name__}"
    return measured, missing
