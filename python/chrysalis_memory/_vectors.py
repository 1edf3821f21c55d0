"""Vectors of one store: made in the background by the embedder, and asked for by recall."""

from __future__ import annotations

import logging
import threading
from itertools import islice

from chrysalis_memory._core import Replica
from chrysalis_memory.embedding.protocol import Embedder, embed_question, embed_texts

__all__ = ["Vectors"]

_log = logging.getLogger("chrysalis_memory")


class Vectors:
    """Embeds what waits, one caller of the embedder at a time."""

    def __init__(self, replica: Replica, embedder: Embedder | None, missing: str | None, batch: int) -> None:
        self._replica = replica
        self._embedder = embedder
        self._missing = missing
        self._batch = batch
        # Embedders are seldom safe to call from two threads, and never faster for it.
        self._alone = threading.Lock()
        self._stopping = False

    @property
    def embedder(self) -> Embedder | None:
        """The embedder, if there is one."""
        return self._embedder

    @property
    def missing(self) -> str | None:
        """Why there is no embedder although one was wished for."""
        return self._missing

    def stop(self) -> None:
        """Ends the embedding of what waits after the batch at hand: closing must not last as long as all of it."""
        self._stopping = True

    def embed_waiting(self, most: int | None = None) -> int:
        """Embeds memories that wait for their vector, all or at most `most`; returns how many were embedded.

        Raises whatever the embedder raises; the memories then wait on.
        """
        done = 0
        while self._embedder is not None and not self._stopping and (most is None or done < most):
            wanted = self._batch if most is None else min(self._batch, most - done)
            taken = self._embed_once(self._embedder, wanted)
            if taken == 0:
                break
            done += taken
        return done

    def _embed_once(self, embedder: Embedder, limit: int) -> int:
        with self._alone:
            waiting = self._replica.pending_vectors(embedder.name, limit)
            if not waiting:
                return 0
            # A long memory has several passages, each with a vector of its own.
            vectors = iter(embed_texts(embedder, [text for _, texts, _ in waiting for text in texts]))
            made = [(number, digest, list(islice(vectors, len(texts)))) for number, texts, digest in waiting]
            self._replica.put_vectors(embedder.name, made)
            return len(waiting)

    def of_query(self, query: str) -> tuple[tuple[str, list[float]] | None, str | None]:
        """The query's vector with the model's name, or none and the reason in words."""
        if self._embedder is None:
            return None, self._missing
        try:
            with self._alone:
                return (self._embedder.name, embed_question(self._embedder, query)), None
        except Exception as error:  # noqa: BLE001 - whatever an embedder does, recall answers from the words
            _log.warning("the embedder failed: %s", error)
            return None, f"the embedder failed ({error})"
