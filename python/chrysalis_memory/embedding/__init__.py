"""Embedders: what turns words into vectors. Any callable will do, or any object with `name` and `embed(texts)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

__all__ = ["Embedder", "EmbedderLike", "Vector", "resolve"]

Vector: TypeAlias = "Sequence[float]"


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of one length. Vectors of different names are never compared with each other."""

    name: str

    def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """A vector for each text, in their order."""


EmbedderLike: TypeAlias = "Embedder | Callable[[str], Vector] | str | None"


class CallableEmbedder:
    """An embedder made of a function from one text to its vector."""

    def __init__(self, function: Callable[[str], Vector]) -> None:
        self._function = function
        module = getattr(function, "__module__", "") or type(function).__module__
        self.name = f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One call of the function for each text."""
        return [self._function(text) for text in texts]


def resolve(embedder: EmbedderLike) -> tuple[Embedder | None, str | None]:
    """The embedder that was asked for, and, when it is none, why recall goes by words alone.

    `"auto"` takes the local model where one is installed. `"none"` and `None` are the wish to do without, which
    leaves nothing missing.

    >>> resolve("none")
    (None, None)
    >>> resolve(lambda text: [float(len(text))])[0].embed(["four"])
    [[4.0]]
    """
    if embedder is None or embedder == "none":
        return None, None
    if embedder == "auto":
        return None, "no embedding model is installed"
    if isinstance(embedder, str):
        raise ValueError(f"embedder is {embedder!r}; it must be 'auto', 'none', a callable or an Embedder")
    if isinstance(embedder, Embedder):
        return embedder, None
    if callable(embedder):
        return CallableEmbedder(embedder), None
    raise TypeError(f"embedder is a callable, an Embedder or a name, not {type(embedder).__name__}")


def as_floats(vector: Any) -> list[float]:
    """A vector of any kind (list, tuple, array) as floats; raises `ValueError` if it is none."""
    try:
        return [float(value) for value in vector]
    except (TypeError, ValueError):
        raise ValueError(f"an embedder must return a sequence of numbers, not {type(vector).__name__}") from None
