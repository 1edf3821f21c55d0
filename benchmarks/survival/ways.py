"""Ways to bring a window down to a budget, beside the projector: all of them keep whole turns, in order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from chrysalis_memory.context import ContextProjector, ContextWindow, Turn

__all__ = ["WAYS", "Kept", "Way", "window_of"]

Kept: TypeAlias = dict[int, str]
"""By position, what is left of a turn."""

Way: TypeAlias = Callable[[ContextWindow, int], Kept]

_CHANCES: Final = 5
_MODEL: Final = "assistant"


def window_of(texts: Iterable[str]) -> ContextWindow:
    """A window of items as collections hold them, `speaker: words`; people are users, each under their own name."""
    return ContextWindow(_turn(position, *text.partition(": ")[::2]) for position, text in enumerate(texts))


def _turn(position: int, speaker: str, words: str) -> Turn:
    if speaker in ("user", _MODEL):
        return Turn(speaker, words, position=position)
    return Turn("user", words, name=speaker, position=position)


def _projected(window: ContextWindow, budget: int) -> Kept:
    projection = ContextProjector().project(window, budget)
    return {turn.position: turn.content for turn in projection.window if not turn.masked}


def _in_turn(turns: Sequence[Turn], budget: int) -> Kept:
    """The turns as they come, up to the first that does not fit."""
    kept: Kept = {}
    for turn in turns:
        budget -= turn.tokens()
        if budget < 0:
            break
        kept[turn.position] = turn.content
    return kept


def _last(window: ContextWindow, budget: int) -> Kept:
    return _in_turn(window.turns[::-1], budget)


def _first_and_last(window: ContextWindow, budget: int) -> Kept:
    first = _in_turn(window.turns, budget // 2)
    return first | _in_turn([turn for turn in window.turns[::-1] if turn.position not in first], budget - budget // 2)


def _of_users(window: ContextWindow, budget: int) -> Kept:
    return _in_turn([turn for turn in window.turns[::-1] if turn.role != _MODEL], budget)


def _drawn(seed: int) -> Way:
    def kept(window: ContextWindow, budget: int) -> Kept:
        turns = list(window.turns)
        random.Random(seed).shuffle(turns)
        return _in_turn(turns, budget)

    return kept


WAYS: Final[Mapping[str, Sequence[Way]]] = {
    "the projector": [_projected],
    "last turns": [_last],
    "first and last turns": [_first_and_last],
    "turns at random": [_drawn(seed) for seed in range(_CHANCES)],
    "last turns of users": [_of_users],
}
"""Each way by name; of one with several, the mean counts."""
