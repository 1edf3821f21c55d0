"""Embedders: what turns words into vectors. A name, any callable, or any object with `name` and `embed(texts)`."""

from __future__ import annotations

from chrysalis_memory.embedding.callables import CallableEmbedder
from chrysalis_memory.embedding.choice import resolve
from chrysalis_memory.embedding.local import LocalEmbedder
from chrysalis_memory.embedding.protocol import Embedder, EmbedderLike, Vector

__all__ = ["CallableEmbedder", "Embedder", "EmbedderLike", "LocalEmbedder", "Vector", "resolve"]
