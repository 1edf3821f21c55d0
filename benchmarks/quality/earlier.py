"""What an earlier run found out about other systems, which a change of ours does not alter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.quality.collection import Collection
from benchmarks.quality.measure import Answered, Measured

__all__ = ["Earlier"]


class Earlier:
    """The answers that a run wrote, by collection and system; empty without a folder."""

    def __init__(self, folder: Path | None, embedder: str | None) -> None:
        self._rows: dict[tuple[str, str], list[Answered]] = {}
        if folder is None:
            return
        run = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
        if run["embedder"] != embedder:
            raise ValueError(
                f"{folder} was measured with the embedder {run['embedder'] or 'none'}, not {embedder or 'none'}"
            )
        for line in (folder / "quality-questions.jsonl").read_text(encoding="utf-8").splitlines():
            self._take(json.loads(line))

    def _take(self, row: Mapping[str, object]) -> None:
        told = dict(row)
        key = (str(told.pop("collection")), str(told.pop("system")))
        self._rows.setdefault(key, []).append(Answered(**told))  # type: ignore[arg-type]

    def of(self, collection: Collection, system: str) -> Measured | None:
        """The system's answers, if they are those to exactly these questions."""
        rows = self._rows.get((collection.name, system), [])
        asked = [one.id for part in collection.conversations for one in part.questions if one.relevant]
        return Measured(rows) if asked and [row.id for row in rows] == asked else None
