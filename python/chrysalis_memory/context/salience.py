"""Which passages say most, by how rare their words are in the window. No model.

What was chosen already counts: a word says less each time it is said again, and so does one more passage from a stretch
that has many. Such gains only shrink, so that the best next passage is found without weighing all of them anew
(Lin and Bilmes, A Class of Submodular Functions for Document Summarization, 2011; Minoux, Accelerated Greedy
Algorithms, 1978).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace
from math import log
from typing import Final, NamedTuple

__all__ = ["Candidate", "chosen"]

# Scripts without spaces are taken in pairs of letters, which are about as rare as words.
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,2}|[^\W_]+")
_SHORT_WORD: Final = 2
_SHORT_WORD_WEIGHT: Final = 0.3
_SAID_AGAIN: Final = 0.7
"""What is left of a word's weight each time it was said already."""
_LENGTH_POWER: Final = 0.8
"""Below 1, so that a long passage is not set back for its length alone: two short ones need two frames to be read."""
_QUESTION_WEIGHT: Final = 0.8
"""A question says a little less than the sentence that answers it."""
_LOOKS_LEAST: Final = 100_000
_LOOKS_EACH: Final = 10
"""How often gains are looked at anew, in all and for each candidate. Where all say the same, each choice changes every
gain; after so many looks the order in hand decides, or a text of one word would take the square of its length."""
_STRETCHES_MAX: Final = 40
_STRETCH_TOKENS_LEAST: Final = 40
"""The window's stretches share the room: so many at most, and each with room for a sentence at least."""


class Candidate(NamedTuple):
    """A passage that may be kept."""

    text: str
    turn: int
    """The index of its turn."""
    tokens: int
    frame: int
    """Tokens that its turn takes beside its words, if nothing else of it is kept."""
    weight: float = 1.0


def chosen(candidates: Sequence[Candidate], room: int, turns: int) -> list[int]:
    """Indexes of the candidates to keep, best first, that take at most `room` tokens together.

    `turns` is how many turns the window has. The same candidates always give the same choice; of equals, the first.

    >>> said = ["Yes, sure.", "The glaze is celadon.", "Sure, yes, yes."]
    >>> chosen([Candidate(text, turn, 6, 4) for turn, text in enumerate(said)], 10, 3)
    [1]
    """
    choice = _Choice(candidates, room, turns)
    heap = [(-choice.gain(index), index) for index in range(len(candidates))]
    heapify(heap)
    picked: list[int] = []
    looks = _LOOKS_LEAST + _LOOKS_EACH * len(candidates)
    while heap:
        index = heap[0][1]
        if choice.cost(index) > choice.room:
            heappop(heap)
            continue
        looks -= 1
        gain = choice.gain(index) if looks > 0 else -heap[0][0]
        heapreplace(heap, (-gain, index))
        if heap[0] == (-gain, index):
            heappop(heap)
            choice.take(index)
            picked.append(index)
    return picked


class _Choice:
    """What was taken so far, and what each candidate would add to it."""

    def __init__(self, candidates: Sequence[Candidate], room: int, turns: int) -> None:
        self.room = room
        self._candidates = candidates
        self._words = [tuple(dict.fromkeys(_WORD.findall(one.text.lower()))) for one in candidates]
        # What a word would still add: it starts at its rarity, and falls each time it is taken.
        self._worth = _rarities(self._words)
        self._turns = max(turns, 1)
        self._opened: set[int] = set()
        self._stretches = min(_STRETCHES_MAX, max(room // _STRETCH_TOKENS_LEAST, 1))
        self._filled = [0] * self._stretches
        self._share = max(room / self._stretches, 1.0)

    def cost(self, index: int) -> int:
        one = self._candidates[index]
        return one.tokens if one.turn in self._opened else one.tokens + one.frame

    def gain(self, index: int) -> float:
        one, worth = self._candidates[index], self._worth
        said = sum(worth[word] for word in self._words[index])
        asked = _QUESTION_WEIGHT if one.text.rstrip().endswith(("?", "\uff1f")) else 1.0
        crowded = 1 + self._filled[self._stretch(one)] / self._share
        # The frame counts whether or not the turn is open, or the gain could grow.
        length: float = max(one.tokens + one.frame, 1) ** _LENGTH_POWER
        return one.weight * asked * said / (length * crowded)

    def take(self, index: int) -> None:
        one = self._candidates[index]
        self.room -= self.cost(index)
        self._filled[self._stretch(one)] += self.cost(index)
        self._opened.add(one.turn)
        for word in self._words[index]:
            self._worth[word] *= _SAID_AGAIN

    def _stretch(self, one: Candidate) -> int:
        return one.turn * self._stretches // self._turns


def _rarities(said: Sequence[Sequence[str]]) -> dict[str, float]:
    spread = Counter(word for one in said for word in one)
    return {
        word: log((len(said) + 1) / count) * (_SHORT_WORD_WEIGHT if len(word) <= _SHORT_WORD else 1.0)
        for word, count in spread.items()
    }
