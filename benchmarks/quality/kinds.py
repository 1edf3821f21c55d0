"""Which systems there are."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.quality.nearest import Fused, Nearest
from benchmarks.quality.ours import Ours
from benchmarks.quality.peers import Chroma, LangGraph, Mem0
from benchmarks.quality.system import Kind
from benchmarks.quality.words import Stemmed, Stopped, Words

__all__ = ["KINDS", "OURS"]

OURS = "ours"

_ALL = (
    Kind(OURS, "Chrysalis", Ours, ("chrysalis-memory",)),
    Kind("fts5", "FTS5, all words", Words, note="SQLite's bm25, unicode61"),
    Kind("stems", "FTS5, all words, stems", Stemmed, note="Porter's stems"),
    Kind("bm25", "FTS5, stop list, stems", Stopped, note="common English words left out"),
    Kind("vectors", "vectors alone, exact", Nearest, ("numpy",)),
    Kind("rrf", "rank fusion of both", Fused, ("numpy",), note="k = 60, 100 of each"),
    Kind("chroma", "Chroma", Chroma, ("chromadb",)),
    Kind("langgraph", "LangGraph's store", LangGraph, ("langgraph",), note="InMemoryStore with index"),
    Kind("mem0", "mem0, no model", Mem0, ("mem0ai", "qdrant-client"), note="infer=False, vectors only"),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
"""By the name that `--systems` takes."""
