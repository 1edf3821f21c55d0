"""From what a caller gave as `embedder` to the embedder."""

from __future__ import annotations

from chrysalis_memory.embedding.callables import CallableEmbedder
from chrysalis_memory.embedding.local import LocalEmbedder, missing
from chrysalis_memory.embedding.protocol import Embedder, EmbedderLike

__all__ = ["resolve"]


def resolve(embedder: EmbedderLike) -> tuple[Embedder | None, str | None]:
    """The embedder that was asked for, and, when it is none, why recall goes by words alone.

    `"auto"` takes the local model where it is installed; `"local"` insists on it, and raises `ModelError` when it is
    not there. `"none"` and `None` are the wish to do without, which leaves nothing missing.

    >>> resolve("none")
    (None, None)
    >>> resolve(lambda text: [float(len(text))])[0].embed(["four"])
    [[4.0]]
    """
    if embedder is None or embedder == "none":
        return None, None
    if embedder == "auto":
        reason = missing()
        return (LocalEmbedder(), None) if reason is None else (None, reason)
    if isinstance(embedder, str):
        return _named(embedder), None
    if isinstance(embedder, Embedder):
        return embedder, None
    if callable(embedder):
        return CallableEmbedder(embedder), None
    raise TypeError(f"embedder is a callable, an Embedder or a name, not {type(embedder).__name__}")


def _named(name: str) -> Embedder:
    kind, _, model = name.partition(":")
    if kind == "local" and model in {"", LocalEmbedder().model.name}:
        local = LocalEmbedder()
        local.require()
        return local
    raise ValueError(f"embedder is {name!r}; it must be 'auto', 'none', 'local', a callable or an Embedder")
