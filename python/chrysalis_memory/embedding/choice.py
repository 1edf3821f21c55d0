"""From what a caller gave as `embedder` to the embedder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from chrysalis_memory.embedding.callables import CallableEmbedder
from chrysalis_memory.embedding.local import MINILM, LocalEmbedder, Precision, missing
from chrysalis_memory.embedding.protocol import Embedder, EmbedderLike

__all__ = ["Choice", "Chooser", "Servers", "resolve"]


_LOCAL: Final[dict[str, Precision | None]] = {
    "": None,
    MINILM.name: None,
    f"{MINILM.name}/int8": "int8",
    f"{MINILM.name}/f32": "f32",
}


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where servers are, and how they are spoken to."""

    url: str | None = None
    key: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0


@dataclass(frozen=True)
class Choice:
    """The embedder, or why there is none although one was wished for; `owned` if it was made here."""

    embedder: Embedder | None
    missing: str | None = None
    owned: bool = False

    def close(self) -> None:
        """Ends what the embedder has under way, if nobody else may be using it."""
        close: Callable[[], None] | None = getattr(self.embedder, "close", None)
        if self.owned and close is not None:
            close()


class Chooser:
    """What a caller gave as `embedder`, checked at once; `"auto"` is decided when it is known what the store holds.

    `"auto"` stays with the model that the store has vectors of, if it can be had without asking anybody: the local one,
    or one that a server on this machine gives. A store without vectors gets the local model where it is installed. No
    store gets the vectors of a second model by itself, and none makes this machine call another.
    """

    def __init__(self, embedder: EmbedderLike, servers: Servers | None = None) -> None:
        self._servers = servers or Servers()
        self._choice = None if embedder == "auto" else resolve(embedder, self._servers)

    def choose(self, models: Sequence[str]) -> Choice:
        """The embedder, in a store that has vectors of these models, the newest last."""
        if self._choice is None:
            self._choice = self._of_store(models) if models else resolve("auto")
        return self._choice

    def _of_store(self, models: Sequence[str]) -> Choice:
        for name in reversed(models):
            choice = _of_name(name, self._servers)
            if choice is not None:
                return choice
        return Choice(
            None,
            f"the store has vectors of {models[-1]}, which must be given as its embedder "
            "(or change to another with `chrysalis models use`)",
        )


def _of_name(name: str, servers: Servers) -> Choice | None:
    """The embedder that gives vectors of this name, if it can be had here."""
    kind = name.partition(":")[0]
    if kind == "local":
        # In this machine's own precision: one that was carried here from another is embedded anew.
        return Choice(LocalEmbedder()) if missing() is None else None
    if kind not in {"ollama", "openai"}:
        return None
    from chrysalis_memory.embedding.server import JsonServer

    model, _, place = name.partition(":")[2].partition("@")
    url = servers.url or (f"http://{place}/v1" if place and JsonServer(f"http://{place}").is_here else None)
    served = _named(f"{kind}:{model}", replace(servers, url=url))
    is_reachable = servers.url is not None or getattr(served, "is_here", False)
    return Choice(served, owned=True) if served.name == name and is_reachable else None


def resolve(embedder: EmbedderLike, servers: Servers | None = None) -> Choice:
    """The embedder that was asked for, and, when it is none, why recall goes by words alone.

    `"auto"` takes the local model where it is installed; `"local"` insists on it, and raises `ModelError` when it is
    not there. `"none"` and `None` are the wish to do without, which leaves nothing missing.

    >>> resolve("none")
    Choice(embedder=None, missing=None, owned=False)
    >>> resolve(lambda text: [float(len(text))]).embedder.embed(["four"])
    [[4.0]]
    >>> resolve("ollama:nomic-embed-text").embedder.name
    'ollama:nomic-embed-text'
    """
    if embedder is None or embedder == "none":
        return Choice(None)
    if embedder == "auto":
        reason = missing()
        return Choice(LocalEmbedder()) if reason is None else Choice(None, reason)
    if isinstance(embedder, str):
        return Choice(_named(embedder, servers or Servers()), owned=True)
    if isinstance(embedder, Embedder):
        return Choice(embedder)
    if callable(embedder):
        return Choice(CallableEmbedder(embedder), owned=True)
    raise TypeError(f"embedder is a callable, an Embedder or a name, not {type(embedder).__name__}")


def _named(name: str, servers: Servers) -> Embedder:
    # Not at the top: most stores need no client of HTTP.
    from chrysalis_memory.embedding.servers import OLLAMA_URL, OPENAI_URL, OllamaEmbedder, OpenAIEmbedder

    kind, _, model = name.partition(":")
    match kind:
        case "local" if model in _LOCAL:
            local = LocalEmbedder(precision=_LOCAL[model])
            local.require()
            return local
        case "ollama":
            return OllamaEmbedder(model, base_url=servers.url or OLLAMA_URL, timeout_s=servers.timeout_s)
        case "openai":
            url = servers.url or OPENAI_URL
            return OpenAIEmbedder(model, base_url=url, key=servers.key, timeout_s=servers.timeout_s)
    raise ValueError(
        f"embedder is {name!r}; it must be 'auto', 'none', 'local', 'ollama:<model>', 'openai:<model>', a callable or "
        "an Embedder"
    )
