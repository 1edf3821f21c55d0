"""What an embedder is, and what it must give."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

__all__ = ["Embedder", "EmbedderLike", "Vector", "embed_question", "embed_texts"]

Vector: TypeAlias = "Sequence[float]"


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of one length. Vectors of different names are never compared with each other.

    More may be there, and is used when it is: `embed_query(text)`, for a model that wants questions told apart from
    texts; `dimensions`, the length of its vectors where that is known beforehand; `thread_safe = True`, when several
    threads may call at once, so that a question need not wait for a batch; `batch_texts`, the most it wants to be given
    at once; `is_fitted = True`, when unrelated texts have cosines near 0.2 and answers near 0.6, as with the local
    model: thresholds are fitted to that, and take the cosines of other models generously.
    """

    name: str

    def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """A vector for each text, in their order."""


EmbedderLike: TypeAlias = "Embedder | Callable[[str], Vector | Awaitable[Vector]] | str | None"


def embed_question(embedder: Embedder, question: str) -> list[float]:
    """The vector of a question. Raises `ValueError` if it is unusable, and whatever the embedder raises."""
    apart = getattr(embedder, "embed_query", None)
    if apart is None:
        return embed_texts(embedder, [question])[0]
    return _checked(embedder, [apart(question)], 1)[0]


def embed_texts(embedder: Embedder, texts: Sequence[str]) -> list[list[float]]:
    """The vectors of texts: one for each, of one length. Raises `ValueError` if they are unusable, and whatever the
    embedder raises."""
    return _checked(embedder, embedder.embed(texts), len(texts))


def _checked(embedder: Embedder, vectors: Sequence[Vector], wanted: int) -> list[list[float]]:
    found = [_floats(embedder, vector) for vector in _items(embedder, vectors)]
    if len(found) != wanted:
        raise ValueError(f"the embedder {embedder.name} returned {len(found)} vectors for {wanted} texts")
    length = getattr(embedder, "dimensions", None) or len(found[0])
    for vector in found:
        if len(vector) != length:
            raise ValueError(f"the embedder {embedder.name} returned {len(vector)} numbers, not {length}")
    return found


def _items(embedder: Embedder, vectors: Any) -> list[Any]:
    try:
        return list(vectors)
    except TypeError:
        raise ValueError(f"the embedder {embedder.name} returned no list of vectors") from None


def _floats(embedder: Embedder, vector: Any) -> list[float]:
    """A vector of any kind (list, tuple, array) as floats."""
    try:
        values = [float(value) for value in vector]
    except (TypeError, ValueError, OverflowError):
        kind = type(vector).__name__
        raise ValueError(f"an embedder must return a sequence of numbers, and {embedder.name} gave {kind}") from None
    if not all(map(math.isfinite, values)) or not any(values):
        raise ValueError(f"the embedder {embedder.name} returned a vector that is empty, all zero or not finite")
    return values
