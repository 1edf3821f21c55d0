"""Embedding many memories so that one that can't be embedded does not keep the others from it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TypeAlias

from chrysalis_memory.embedding.protocol import Embedder, embed_texts
from chrysalis_memory.errors import LinkError, ModelError

__all__ = ["Passages", "Vectors", "embed_apart", "is_away"]

Passages: TypeAlias = "Sequence[str]"
Vectors: TypeAlias = "list[list[float]]"

_HARMLESS = "memory"


def is_away(error: Exception) -> bool:
    """Whether the error says that the embedder can't work now, whatever the text."""
    refused = isinstance(error, ModelError) and error.code == "model_refused"
    return isinstance(error, LinkError | ModelError | OSError) and not refused


def embed_apart(embedder: Embedder, memories: Sequence[Passages]) -> list[Vectors | Exception]:
    """The vectors of each memory's passages, or the error of a memory that can't be embedded, in their order.

    A batch that fails is halved until the memory is found that is to blame. Raises the embedder's error when it fails
    for any text at all.
    """
    try:
        return list(_together(embedder, memories))
    except Exception as error:
        if is_away(error):
            raise
        # Is it this text, or is it the embedder? Only the first is worth the search.
        embed_texts(embedder, [_HARMLESS])
        return _halved(embedder, memories, error)


def _halved(embedder: Embedder, memories: Sequence[Passages], error: Exception) -> list[Vectors | Exception]:
    if len(memories) == 1:
        return [error]
    middle = len(memories) // 2
    return [*_searched(embedder, memories[:middle]), *_searched(embedder, memories[middle:])]


def _searched(embedder: Embedder, memories: Sequence[Passages]) -> list[Vectors | Exception]:
    try:
        return list(_together(embedder, memories))
    except Exception as error:
        if is_away(error):
            raise
        return _halved(embedder, memories, error)


def _together(embedder: Embedder, memories: Sequence[Passages]) -> list[Vectors]:
    vectors = iter(embed_texts(embedder, [text for texts in memories for text in texts]))
    return [list(islice(vectors, len(texts))) for texts in memories]
