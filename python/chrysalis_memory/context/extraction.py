"""Choosing, turn by turn and sentence by sentence, what of a window fits into a budget."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.context.passages import Passage, joined, passages
from chrysalis_memory.context.salience import Candidate, chosen
from chrysalis_memory.context.tokens import TokenCounter, counted
from chrysalis_memory.context.turn import TURN_TOKENS, Turn

__all__ = ["Counted", "extracted", "newest"]

_WHOLE_TOKENS: Final = 100
_WHOLE_PART: Final = 100
"""A turn of up to so many tokens, or of this part of the room, is kept whole or not at all: half of it misleads."""
_NEWEST_PART: Final = 16
"""The newest turns get this part of the room before all others: work goes on from there."""
_SAID_BY_A_MODEL: Final = 0.25
"""What a model said can be said again; what anybody else told it can't."""
_MODEL_ROLES: Final = frozenset({"assistant", "model", "ai"})


@dataclass(frozen=True)
class Counted:
    """A turn of a window with its index there and the tokens that it takes."""

    index: int
    turn: Turn
    tokens: int


def newest(turns: Sequence[Counted], room: int) -> list[Counted]:
    """The last turns that fit into the room, without a gap, in order."""
    kept: list[Counted] = []
    for one in reversed(turns):
        if one.tokens > room:
            break
        room -= one.tokens
        kept.append(one)
    return kept[::-1]


def extracted(turns: Sequence[Counted], room: int, counter: TokenCounter | None) -> list[Counted]:
    """What is left of the turns in so many tokens, in order: whole, shortened, or not there.

    Droppable turns get what the others do not need.
    """
    dear = [one for one in turns if one.turn.linearity_class is not Linearity.DROPPABLE]
    if sum(one.tokens for one in dear) > room:
        return _best(dear, newest(dear, room // _NEWEST_PART), room, counter)
    rest = [one for one in turns if one.turn.linearity_class is Linearity.DROPPABLE and not one.turn.masked]
    return _best([*dear, *rest], dear, room, counter)


def _best(turns: Sequence[Counted], kept: Sequence[Counted], room: int, counter: TokenCounter | None) -> list[Counted]:
    room -= sum(one.tokens for one in kept)
    sure = {one.index for one in kept}
    open_turns = {one.index: one for one in turns if one.index not in sure}
    whole = TURN_TOKENS + max(_WHOLE_TOKENS, room // _WHOLE_PART)
    places = [(one.index, passage) for one in open_turns.values() for passage in _passages(one, whole)]
    candidates = [_candidate(open_turns[index], passage, counter) for index, passage in places]
    picked = [places[number] for number in chosen(candidates, room, max(open_turns, default=0) + 1)]
    return sorted([*kept, *_fitting(open_turns, picked, room, counter)], key=lambda one: one.index)


def _passages(one: Counted, whole_tokens: int) -> list[Passage]:
    if one.tokens <= whole_tokens:
        return [Passage(0, len(one.turn.content))]
    return passages(one.turn.content)


def _candidate(one: Counted, passage: Passage, counter: TokenCounter | None) -> Candidate:
    text = one.turn.content[passage.start : passage.end]
    whole = len(text) == len(one.turn.content)
    # An ellipsis may have to stand beside a part of a turn.
    tokens = one.tokens - TURN_TOKENS if whole else counted(text, counter) + 1
    weight = _SAID_BY_A_MODEL if one.turn.role.lower() in _MODEL_ROLES else 1.0
    return Candidate(text, one.index, tokens, TURN_TOKENS, weight)


def _fitting(
    turns: dict[int, Counted], picked: list[tuple[int, Passage]], room: int, counter: TokenCounter | None
) -> list[Counted]:
    """The turns with what was picked of them. Tokens of parts need not add up to those of a whole: the last go."""
    made: dict[int, Counted] = {}
    for index, kept in _by_turn(picked).items():
        made[index] = _shortened(turns[index], kept, counter)
    total = sum(one.tokens for one in made.values())
    while total > room and picked:
        index, _ = picked.pop()
        left = [passage for place, passage in picked if place == index]
        total -= made.pop(index).tokens
        if left:
            made[index] = _shortened(turns[index], left, counter)
            total += made[index].tokens
    return list(made.values())


def _by_turn(picked: Iterable[tuple[int, Passage]]) -> dict[int, list[Passage]]:
    kept: dict[int, list[Passage]] = {}
    for index, passage in picked:
        kept.setdefault(index, []).append(passage)
    return kept


def _shortened(one: Counted, kept: list[Passage], counter: TokenCounter | None) -> Counted:
    content = joined(one.turn.content, sorted(kept))
    if sum(passage.end - passage.start for passage in kept) == len(one.turn.content):
        return one
    turn = replace(one.turn, content=content)
    return Counted(one.index, turn, turn.tokens(counter))
