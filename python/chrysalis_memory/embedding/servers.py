"""Models behind a server: Ollama's protocol, and that of OpenAI, which many servers speak."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

from chrysalis_memory.embedding.protocol import Vector
from chrysalis_memory.embedding.server import EMBED_PATIENCE_S, QUESTION_PATIENCE_S, JsonServer
from chrysalis_memory.errors import PeerMisbehaved

__all__ = ["OLLAMA_URL", "OPENAI_URL", "OllamaEmbedder", "OpenAIEmbedder"]

OLLAMA_URL: Final = "http://127.0.0.1:11434"
OPENAI_URL: Final = "https://api.openai.com/v1"

# What models were trained to see before a text and before a question: from their authors' descriptions. A model not
# listed sees both as they are.
_PREFIXES: Final = {
    "nomic-embed-text": ("search_document: ", "search_query: "),
    "mxbai-embed-large": ("", "Represent this sentence for searching relevant passages: "),
    "snowflake-arctic-embed": ("", "Represent this sentence for searching relevant passages: "),
    "snowflake-arctic-embed2": ("", "query: "),
    "embeddinggemma": ("title: none | text: ", "task: search result | query: "),
}


class _ServedEmbedder:
    """What both kinds share: prefixes, names, and patience."""

    dimensions: int | None = None
    thread_safe = True

    def __init__(
        self, kind: str, model: str, server: JsonServer, prefixes: tuple[str | None, str | None], name: str | None
    ) -> None:
        if not model:
            raise ValueError(f"the embedder {kind!r} needs the name of a model, as in {kind}:<model>")
        known = _PREFIXES.get(model.rpartition("/")[2].partition(":")[0], ("", ""))
        self.model = model
        self._server = server
        self._text_prefix = known[0] if prefixes[0] is None else prefixes[0]
        self._query_prefix = known[1] if prefixes[1] is None else prefixes[1]
        # Other prefixes give other vectors, which must not be compared with these.
        mark = "" if self._text_prefix == known[0] else f"#{zlib.crc32(self._text_prefix.encode()):08x}"
        self.name = name or f"{kind}:{model}{mark}"

    @property
    def is_here(self) -> bool:
        """Whether the server runs on this machine."""
        return self._server.is_here

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each text, in their order. Raises `LinkError` when the server is away, `ModelError` when it
        refuses."""
        return self._asked([self._text_prefix + text for text in texts], EMBED_PATIENCE_S)

    def embed_query(self, text: str) -> Vector:
        """The vector of a question."""
        return self._asked([self._query_prefix + text], QUESTION_PATIENCE_S)[0]

    def close(self) -> None:
        """Ends what is under way."""
        self._server.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, server={self._server!r})"

    def _asked(self, texts: Sequence[str], patience_s: float) -> list[Vector]:
        raise NotImplementedError

    def _taken(self, vectors: Any, wanted: int) -> list[Vector]:
        if not isinstance(vectors, list) or len(vectors) != wanted:
            raise PeerMisbehaved(f"{self._server} gave no list of {wanted} vectors", address=str(self._server))
        return vectors


class OllamaEmbedder(_ServedEmbedder):
    """A model that Ollama serves, by its `/api/embed`. A text too long for the model is cut there.

    >>> OllamaEmbedder("nomic-embed-text").name
    'ollama:nomic-embed-text'
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OLLAMA_URL,
        timeout_s: float = 30.0,
        text_prefix: str | None = None,
        query_prefix: str | None = None,
        name: str | None = None,
    ) -> None:
        server = JsonServer(base_url, timeout_s=timeout_s)
        super().__init__("ollama", model, server, (text_prefix, query_prefix), name)

    def _asked(self, texts: Sequence[str], patience_s: float) -> list[Vector]:
        body = {"model": self.model, "input": list(texts), "truncate": True}
        answer = self._server.post("/api/embed", body, patience_s)
        return self._taken(answer.get("embeddings") if isinstance(answer, dict) else None, len(texts))


class OpenAIEmbedder(_ServedEmbedder):
    """A model behind any server that speaks OpenAI's `/embeddings`.

    Servers elsewhere than at OpenAI may give the same name to another model, so their host is part of the name.

    >>> OpenAIEmbedder("text-embedding-3-small", key="secret").name
    'openai:text-embedding-3-small'
    >>> OpenAIEmbedder("bge-m3", base_url="http://127.0.0.1:8080/v1").name
    'openai:bge-m3@127.0.0.1:8080'
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OPENAI_URL,
        key: str | None = None,
        timeout_s: float = 30.0,
        text_prefix: str | None = None,
        query_prefix: str | None = None,
        name: str | None = None,
    ) -> None:
        server = JsonServer(base_url, key=key, timeout_s=timeout_s)
        elsewhere = "" if base_url.rstrip("/") == OPENAI_URL else f"@{server.place}"
        super().__init__("openai", model, server, (text_prefix, query_prefix), name)
        self.name = name or self.name + elsewhere

    def _asked(self, texts: Sequence[str], patience_s: float) -> list[Vector]:
        body = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        answer = self._server.post("/embeddings", body, patience_s)
        rows = self._taken(answer.get("data") if isinstance(answer, dict) else None, len(texts))
        return [row["embedding"] for row in self._in_order(rows)]

    def _in_order(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        match = {row["index"]: row for row in rows if isinstance(row, dict) and {"index", "embedding"} <= row.keys()}
        if set(match) != set(range(len(rows))):
            raise PeerMisbehaved(f"{self._server} did not number its vectors", address=str(self._server))
        return [match[number] for number in range(len(rows))]
