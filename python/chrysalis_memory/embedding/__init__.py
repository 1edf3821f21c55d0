"""Embedders: what turns words into vectors. A name, any callable, or any object with `name` and `embed(texts)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chrysalis_memory.embedding.callables import CallableEmbedder
from chrysalis_memory.embedding.choice import Choice, Chooser, Servers, resolve
from chrysalis_memory.embedding.local import LocalEmbedder
from chrysalis_memory.embedding.protocol import Embedder, EmbedderLike, Vector

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    # Most programs ask no server, and a client of HTTP takes a while to import.
    if name in {"OllamaEmbedder", "OpenAIEmbedder"}:
        from chrysalis_memory.embedding import servers

        return getattr(servers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
