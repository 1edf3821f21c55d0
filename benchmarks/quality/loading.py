"""Finds out what a path holds, and reads it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.quality import beam, folder, locomo
from benchmarks.quality.collection import Collection

__all__ = ["load"]


def load(path: Path) -> Collection:
    """The collection at this path: LoCoMo's JSON, a folder of BEAM chats, or a folder of your own questions.

    Raises `ValueError` when it is none of them.
    """
    if path.is_file():
        return locomo.load(path)
    if folder.is_one(path):
        return folder.load(path)
    if beam.is_one(path):
        return beam.load(path)
    for file in sorted(path.glob("locomo*.json")):
        return locomo.load(file)
    raise ValueError(
        f"{path} holds neither memories.jsonl and questions.jsonl, nor LoCoMo's JSON, nor chats of BEAM; "
        "docs/recall.md shows the format for your own questions"
    )
