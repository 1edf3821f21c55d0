"""What is remembered and asked: words after Zipf's law, and vectors with the structure of real embeddings.

Words of a language are spread unevenly, and so are embeddings: on uniformly drawn words every query is a rare one, and
on Gaussian noise every approximate index fails. Everything here follows from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["DIMENSIONS", "TopicEmbedder", "contents", "queries", "records"]

VOCABULARY_WORDS = 20_000
CONTENT_BYTES = 300
TAGS = [f"tag-{number}" for number in range(100)]

DIMENSIONS = 384
_LATENT = 64
_TOPICS = 400
_SCATTER = 0.6
_NOISE = 0.05


@cache
def _vocabulary() -> tuple[list[str], list[float]]:
    chance = random.Random(20_260_101)
    syllables = [first + second for first in "bcdfghjklmnprstvz" for second in "aeiou"]
    words: dict[str, None] = {}
    while len(words) < VOCABULARY_WORDS:
        words["".join(chance.choices(syllables, k=chance.choice((1, 2, 2, 3, 3, 4))))] = None
    # The commonest words of a language are its shortest.
    ordered = sorted(words, key=lambda word: (len(word) > 4, chance.random()))
    weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(ordered))))
    return ordered, weights


def contents(count: int, *, seed: int = 0) -> list[str]:
    """So many texts of about 300 bytes."""
    chance = random.Random(seed)
    words, weights = _vocabulary()
    return [_content(chance, words, weights) for _ in range(count)]


def _content(chance: random.Random, words: Sequence[str], weights: list[float]) -> str:
    text = " ".join(chance.choices(words, cum_weights=weights, k=80))
    return text[:CONTENT_BYTES].rsplit(" ", 1)[0]


def records(texts: Sequence[str], *, prefix: str, seed: int = 0) -> list[dict[str, Any]]:
    """Records for `remember_many`: the texts with an id, a type and two tags each."""
    chance = random.Random(seed)
    return [
        {
            "id": f"{prefix}-{number:08}",
            "content": text,
            "memory_type": "semantic",
            "tags": chance.sample(TAGS, 2),
            "importance": 0.6,
        }
        for number, text in enumerate(texts)
    ]


def queries(count: int, *, words: int = 8, seed: int = 1) -> list[str]:
    """Queries of distinct words, drawn by the same law as the texts: as people ask, common words among them."""
    chance = random.Random(seed)
    vocabulary, weights = _vocabulary()
    found = []
    for _ in range(count):
        drawn: dict[str, None] = {}
        while len(drawn) < words:
            drawn[chance.choices(vocabulary, cum_weights=weights)[0]] = None
        found.append(" ".join(drawn))
    return found


class TopicEmbedder:
    """Vectors like those of sentences: a topic in 64 dimensions, scatter around it, spread over 384, and some noise.

    The same text has the same vector. Vectors are kept, so that a query's is in hand when it is asked.
    """

    name = "benchmark-topics"

    def __init__(self) -> None:
        import numpy

        chance = numpy.random.default_rng(7)
        self._numpy = numpy
        self._topics = chance.standard_normal((_TOPICS, _LATENT)).astype(numpy.float32)
        self._spread = (chance.standard_normal((_LATENT, DIMENSIONS)) / _LATENT**0.5).astype(numpy.float32)
        self._kept: dict[str, list[float]] = {}

    def matrix(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """A row for each text, of length 1."""
        numpy = self._numpy
        seeds = [int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") for text in texts]
        latent = numpy.empty((len(texts), _LATENT), numpy.float32)
        noise = numpy.empty((len(texts), DIMENSIONS), numpy.float32)
        for place, seed in enumerate(seeds):
            chance = numpy.random.Generator(numpy.random.SFC64(seed))
            chance.standard_normal(out=latent[place], dtype=numpy.float32)
            chance.standard_normal(out=noise[place], dtype=numpy.float32)
        topics = self._topics[[seed % _TOPICS for seed in seeds]]
        rows = (topics + _SCATTER * latent) @ self._spread + _NOISE * noise
        unit: np.ndarray[Any, Any] = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def keep(self, texts: Sequence[str]) -> None:
        """Makes these vectors now, so that asking for them later costs nothing."""
        self._kept.update(zip(texts, self.matrix(texts).tolist(), strict=True))

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """As `chrysalis_memory.embedding.Embedder` has it."""
        if len(texts) == 1 and texts[0] in self._kept:
            return [self._kept[texts[0]]]
        vectors: list[list[float]] = self.matrix(texts).tolist()
        return vectors
