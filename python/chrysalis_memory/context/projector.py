"""Compressing a window to a budget of tokens: what matters most stays, in its own words and in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chrysalis_memory.context.extraction import Counted, extracted, newest
from chrysalis_memory.context.fragment import FocusFragment
from chrysalis_memory.context.hints import hinted
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.context.projection import Projection
from chrysalis_memory.context.summarising import Summariser, SummaryFailed, asummarised, summarised
from chrysalis_memory.context.tokens import TokenCounter
from chrysalis_memory.context.turn import TURN_TOKENS, Turn
from chrysalis_memory.context.window import ContextWindow

__all__ = ["ContextProjector"]

_MASKS_PART: Final = 40
"""Masks get this part of the room: they tell where something is missing, and nothing else."""
_VERBATIM_PART: Final = 2
"""With a summariser, the newest turns get this part of the room and stay as they are."""
_SUMMARY_TOKENS_LEAST: Final = 16
"""Less room than for a sentence is no room for a summary."""


class ContextProjector:
    """Compresses windows. Without a summariser it chooses sentences, by a rule: the same window gives the same result.

    `counter` counts tokens, by default `estimate_tokens`. A `summariser` is any callable, sync or async, that takes a
    text and the tokens it may use, and gives a shorter text; where it fails, takes longer than `summary_timeout_s`, or
    gives something unusable, sentences are chosen instead, and the projection carries a warning.

    >>> window = ContextWindow().add("user", "[FOCUS:decision] We fire at cone 6.")
    >>> window = window.add("tool", "kiln log, line by line " * 50).add("user", "Then let us load the kiln at noon.")
    >>> projection = ContextProjector().project(window, 40)
    >>> print(projection.window.as_text())
    user: [FOCUS:decision] We fire at cone 6.
    <BLANKLINE>
    system: [1 turn left out]
    <BLANKLINE>
    user: Then let us load the kiln at noon.
    >>> projection.tokens <= 40, projection.fragments[0].hint
    (True, 'decision')
    """

    def __init__(
        self,
        counter: TokenCounter | None = None,
        summariser: Summariser | None = None,
        *,
        summary_timeout_s: float = 60.0,
    ) -> None:
        if summary_timeout_s <= 0:
            raise ValueError("summary_timeout_s must be greater than 0")
        self._counter = counter
        self._summariser = summariser
        self._timeout_s = summary_timeout_s

    def project(self, window: ContextWindow, budget_tokens: int, focus_hints: Sequence[str] = ()) -> Projection:
        """The window in at most `budget_tokens`, unless what is preserved takes more.

        Turns that fit a focus hint (see `docs/context.md`) are preserved, too. Takes time in proportion to the window.
        Raises `ValueError` or `TypeError` for a budget or hints that make no sense, or a counter that gives no count.
        """
        work = self._work(window, budget_tokens, focus_hints)
        asked = None if self._summariser is None else work.asked()
        if asked is None or self._summariser is None:
            return work.extract()
        try:
            summary = summarised(self._summariser, asked.text, asked.tokens_max, self._counter, self._timeout_s)
        except SummaryFailed as error:
            return work.extract(_warning(error))
        return work.told(asked, summary)

    async def aproject(self, window: ContextWindow, budget_tokens: int, focus_hints: Sequence[str] = ()) -> Projection:
        """As `project`; an async summariser runs in this event loop, and while one works, the loop goes on."""
        work = self._work(window, budget_tokens, focus_hints)
        asked = None if self._summariser is None else work.asked()
        if asked is None or self._summariser is None:
            return work.extract()
        try:
            summary = await asummarised(self._summariser, asked.text, asked.tokens_max, self._counter, self._timeout_s)
        except SummaryFailed as error:
            return work.extract(_warning(error))
        return work.told(asked, summary)

    def _work(self, window: ContextWindow, budget_tokens: int, focus_hints: Sequence[str]) -> _Work:
        if isinstance(budget_tokens, bool) or not isinstance(budget_tokens, int):
            raise TypeError(f"budget_tokens is a whole number, not {type(budget_tokens).__name__}")
        if budget_tokens < 1:
            raise ValueError("budget_tokens must be at least 1")
        return _Work(window, budget_tokens, focus_hints, self._counter)


def _warning(error: SummaryFailed) -> str:
    return f"{error}; sentences were chosen instead"


@dataclass(frozen=True)
class _Asked:
    """What a summariser is asked, and what stands beside its answer."""

    text: str
    tokens_max: int
    first: Turn
    """The first of the turns that it stands for."""
    verbatim: list[Counted]


class _Work:
    """One window that is being compressed."""

    def __init__(
        self, window: ContextWindow, budget: int, focus_hints: Sequence[str], counter: TokenCounter | None
    ) -> None:
        turns = hinted(window.turns, focus_hints)
        every = [Counted(index, turn, turn.tokens(counter)) for index, turn in enumerate(turns)]
        self._window, self._counter, self._budget, self._every = window, counter, budget, every
        self._focus = [one for one in every if one.turn.linearity_class is Linearity.PRESERVED]
        self._others = [one for one in every if one.turn.linearity_class is not Linearity.PRESERVED]
        self._room = budget - sum(one.tokens for one in self._focus)
        self._fits = sum(one.tokens for one in every) <= budget

    def extract(self, warning: str | None = None) -> Projection:
        """The projection by choosing sentences."""
        if self._fits:
            return self._done(self._every, warning)
        room = max(self._room, 0)
        kept = extracted(self._others, room - room // _MASKS_PART, self._counter)
        kept = sorted([*self._focus, *kept], key=lambda one: one.index)
        return self._done(self._masked(kept), warning)

    def asked(self) -> _Asked | None:
        """What to ask a summariser; None where everything fits, or no summary does."""
        required = [one for one in self._others if one.turn.linearity_class is Linearity.REQUIRED]
        verbatim = newest(required, max(self._room, 0) // _VERBATIM_PART)
        sure = {one.index for one in verbatim}
        rest = [one.turn for one in required if one.index not in sure]
        tokens_max = self._room - sum(one.tokens for one in verbatim) - TURN_TOKENS
        if self._fits or not rest or tokens_max < _SUMMARY_TOKENS_LEAST:
            return None
        return _Asked(ContextWindow(rest).as_text(), tokens_max, rest[0], verbatim)

    def told(self, asked: _Asked, summary: str) -> Projection:
        """The projection with what a summariser made of the older turns."""
        turn = Turn("system", summary, Linearity.REQUIRED, name="summary", position=asked.first.position)
        index = next(one.index for one in self._every if one.turn is asked.first)
        kept = [*self._focus, *asked.verbatim, Counted(index, turn, turn.tokens(self._counter))]
        return self._done(sorted(kept, key=lambda one: one.index), None, index)

    def _masked(self, kept: list[Counted]) -> list[Counted]:
        """With masks in the longest gaps, as many as fit."""
        room = self._budget - sum(one.tokens for one in kept)
        masks = []
        for gap in sorted(self._gaps(kept), key=lambda gap: (-len(gap), gap[0].index)):
            mask = self._mask(gap)
            if mask.tokens <= room:
                room -= mask.tokens
                masks.append(mask)
        return sorted([*kept, *masks], key=lambda one: one.index)

    def _gaps(self, kept: list[Counted]) -> Iterator[list[Counted]]:
        sure = {one.index for one in kept}
        gap: list[Counted] = []
        for one in self._every:
            if one.index not in sure:
                gap.append(one)
            elif gap:
                yield gap
                gap = []
        if gap:
            yield gap

    def _mask(self, gap: list[Counted]) -> Counted:
        # Positions also count what an earlier projection left out.
        after = gap[-1].index + 1
        until = self._every[after].turn.position if after < len(self._every) else gap[-1].turn.position + 1
        count = until - gap[0].turn.position
        words = f"[{count} turn{'s' if count > 1 else ''} left out]"
        turn = Turn("system", words, position=gap[0].turn.position, masked=True)
        return Counted(gap[0].index, turn, turn.tokens(self._counter))

    def _done(self, kept: list[Counted], warning: str | None, told: int | None = None) -> Projection:
        focus_tokens = sum(one.tokens for one in self._focus)
        tokens = sum(one.tokens for one in kept)
        rest = [one.turn for one in kept if one.turn.linearity_class is not Linearity.PRESERVED]
        left = {one.index: one for one in kept if not one.turn.masked and one.index != told}
        return Projection(
            window=ContextWindow((one.turn for one in kept), self._place(kept)),
            summary=ContextWindow(rest).as_text(),
            summary_tokens=tokens - focus_tokens,
            fragments=tuple(_fragment(one.turn) for one in self._focus),
            focus_tokens=focus_tokens,
            tokens=tokens,
            left_out=sum(one.index not in left and not one.turn.masked for one in self._every),
            shortened=sum(one.turn.content != self._every[one.index].turn.content for one in left.values()),
            over_budget=self._room < 0,
            warning=warning,
        )

    def _place(self, kept: list[Counted]) -> int | None:
        """Where the turn in focus is now, or the last one before it."""
        before = [place for place, one in enumerate(kept) if one.index <= self._window.place]
        return before[-1] if before else 0 if kept else None


def _fragment(turn: Turn) -> FocusFragment:
    return FocusFragment(turn.why or Linearity.PRESERVED.value, turn.content, turn.position)
