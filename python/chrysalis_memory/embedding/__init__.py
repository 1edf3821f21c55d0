"""Embedders: what turns words into vectors. A name, any callable, or any object with `name` and `embed(texts)`."""

from __future__ import annotations

from chrysalis_memory.embedding.callables import CallableEmbedder
from chrysalis_memory.embedding.choice import Choice, Chooser, Servers, resolve
from chrysalis_memory.embedding.local import LocalEmbedder
from chrysalis_memory.embedding.protocol import Embedder, EmbedderLike, Vector
from chrysalis_memory.embedding.servers import OllamaEmbedder, OpenAIEmbedder

__all__ = [
    "CallableEmbedder",
    "Choice",
    "Chooser",
    "Embedder",
    "EmbedderLike",
    "LocalEmbedder",
    "OllamaEmbedder",
    "OpenAIEmbedder",
    "Servers",
    "Vector",
    "resolve",
]
