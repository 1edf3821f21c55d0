"""Vectors of one store: made in the background by the embedder, and asked for by recall."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from chrysalis_memory._core import Replica
from chrysalis_memory.embedding.apart import Vectors as VectorsOfOne
from chrysalis_memory.embedding.apart import embed_apart
from chrysalis_memory.embedding.choice import Choice, Chooser
from chrysalis_memory.embedding.pauses import Pauses
from chrysalis_memory.embedding.protocol import Embedder, embed_question
from chrysalis_memory.embedding.turns import Turns

__all__ = ["Progress", "Vectors"]

_log = logging.getLogger("chrysalis_memory")

_RECALL_PATIENCE_S: Final = 1.0
"""How long a recall waits for a batch that is under way before it goes on without what waits."""

Pending: TypeAlias = "tuple[int, Sequence[str], bytes]"
Progress: TypeAlias = "Callable[[int, int], None]"
QueryVector: TypeAlias = "tuple[str, list[float]]"


class Vectors:
    """Embeds what waits in the background, and what a recall needs, before that."""

    def __init__(self, replica: Replica, chooser: Chooser, batch: int, wake: Callable[[], None]) -> None:
        self._replica = replica
        self._wake = wake
        self._chooser = chooser
        self._chosen: Choice | None = None
        self._choosing = threading.Lock()
        self._batch = batch
        # Embedders are seldom safe to call from two threads; and nothing should be embedded twice.
        self._turns = Turns()
        self._pauses = Pauses()
        self._failure = ""
        self._stopping = False
        # The length of the vectors that the store has of this model.
        self._length: int | None = None
        # Number and digest of what cannot be embedded: not tried again by this process.
        self._unusable: dict[int, bytes] = {}

    @property
    def _choice(self) -> Choice:
        # Made when it is first needed: it may depend on what vectors the store has, and opening should not wait.
        with self._choosing:
            if self._chosen is None:
                self._chosen = self._chooser.choose([name for name, _, _, _ in self._replica.vector_models()])
            return self._chosen

    @property
    def embedder(self) -> Embedder | None:
        """The embedder, if there is one."""
        return self._choice.embedder

    @property
    def is_fitted(self) -> bool:
        """Whether the confidence of scores was fitted to this embedder's cosines."""
        return bool(getattr(self._choice.embedder, "is_fitted", False))

    @property
    def missing(self) -> str | None:
        """Why there is no embedder although one was wished for."""
        return self._choice.missing

    def stop(self) -> None:
        """Ends the embedding of what waits after the batch at hand: closing must not last as long as all of it."""
        self._stopping = True
        if self._chosen is not None:
            self._chosen.close()

    def work(self) -> float | None:
        """Embeds all that waits, for the background thread; returns after how long to try again, if it failed."""
        if not self._pauses.left_s():
            try:
                self.embed_waiting()
            except Exception as error:  # noqa: BLE001 - whatever an embedder does, the store goes on
                self._failed(error)
        return self._pauses.left_s() or None

    def embed_waiting(self, progress: Progress | None = None) -> int:
        """Embeds all memories that wait for their vectors now; returns how many were embedded.

        `progress` is told how many memories have vectors and how many there are. Raises whatever the embedder raises;
        the memories then wait on.
        """
        done = 0
        while self.embedder is not None and not self._stopping:
            with self._turns.of_background():
                taken = self._embed_some(self.embedder)
            if taken is None:
                break
            done += taken
            if progress is not None:
                memories, embedded = self._replica.vector_state(self.embedder.name)
                progress(embedded, memories)
        return done

    def for_recall(self, question: str, most: int) -> tuple[QueryVector | None, str | None]:
        """The question's vector with the model's name, or none and the reason in words.

        Before, the memories that wait are embedded, if they are no more than `most`, so that an agent finds what it
        just wrote.
        """
        embedder = self.embedder
        if embedder is None:
            return None, self.missing
        if wait_s := self._pauses.left_s():
            return None, f"the embedder failed ({self._failure}), next try in {wait_s:.0f} s"
        try:
            self._embed_first(embedder, most)
            vector = self._question(embedder, question)
            self._check_length(embedder, len(vector))
            return (embedder.name, vector), None
        except Exception as error:  # noqa: BLE001 - whatever an embedder does, recall answers from the words
            self._failed(error)
            return None, f"the embedder failed ({error})"

    def _embed_first(self, embedder: Embedder, most: int) -> None:
        count = len(self._waiting(embedder, most + 1)) if most > 0 else 0
        if count > most:
            # The oldest of many would cost this agent time, and not be what it just wrote.
            self._wake()
        if not 0 < count <= most:
            return
        with self._turns.of_agent(_RECALL_PATIENCE_S) as mine:
            waiting = self._waiting(embedder, most) if mine else []
            while waiting:
                batch, waiting = _batch(waiting, self._texts_max(embedder))
                self._embed(embedder, batch)

    def _question(self, embedder: Embedder, question: str) -> list[float]:
        if getattr(embedder, "thread_safe", False):
            vector = embed_question(embedder, question)
        else:
            with self._turns.of_agent():
                vector = embed_question(embedder, question)
        self._pauses.worked()
        return vector

    def _check_length(self, embedder: Embedder, length: int) -> None:
        """Raises `ValueError` if the store's vectors of this name have another length."""
        if length == self._length:
            return
        lengths = {name: dimensions for name, dimensions, _, _ in self._replica.vector_models()}
        self._length = lengths.get(embedder.name)
        if self._length not in {length, None}:
            raise ValueError(
                f"{embedder.name} gives vectors of {length} numbers, and those in this store under its name have "
                f"{self._length}; give the new model another name"
            )

    def _embed_some(self, embedder: Embedder) -> int | None:
        """Embeds a batch of what waits; how many memories got vectors, or None when nothing waits."""
        waiting = self._waiting(embedder, self._batch)
        return self._embed(embedder, _batch(waiting, self._texts_max(embedder))[0]) if waiting else None

    def _embed(self, embedder: Embedder, batch: Sequence[Pending]) -> int:
        answers = embed_apart(embedder, [texts for _, texts, _ in batch])
        made: list[tuple[int, bytes, VectorsOfOne]] = []
        for (number, _, digest), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                self._set_aside(number, digest, answer)
            else:
                made.append((number, digest, answer))
        if made:
            self._replica.put_vectors(embedder.name, made)
        self._pauses.worked()
        return len(made)

    def _waiting(self, embedder: Embedder, limit: int) -> list[Pending]:
        """At most so many memories that wait for their vectors, without those that can't have any."""
        pending = self._replica.pending_vectors(embedder.name, limit + len(self._unusable))
        return [one for one in pending if self._unusable.get(one[0]) != one[2]][:limit]

    def _texts_max(self, embedder: Embedder) -> int:
        return min(self._batch, getattr(embedder, "batch_texts", self._batch))

    def _set_aside(self, number: int, digest: bytes, error: Exception) -> None:
        self._unusable[number] = digest
        _log.warning("memory number %d cannot be embedded and is found by words alone: %s", number, error)

    def _failed(self, error: Exception) -> None:
        self._failure = str(error)
        asked_s = getattr(error, "retry_after_s", None) or 0.0
        if self._pauses.failed(asked_s) and not self._stopping:
            _log.warning("the embedder failed, memories wait for their vectors: %s", error)


def _batch(waiting: list[Pending], texts_max: int) -> tuple[list[Pending], list[Pending]]:
    """The first that have no more texts than this together, or the first alone; and the rest."""
    texts = 0
    for number, (_, own, _) in enumerate(waiting):
        texts += len(own)
        if number and texts > texts_max:
            return waiting[:number], waiting[number:]
    return waiting, []
