"""Focus hints: words from outside that say which turns must survive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from chrysalis_memory.context import _checks
from chrysalis_memory.context.limits import HINTS_MAX
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.context.marks import focus_marks
from chrysalis_memory.context.turn import Turn

__all__ = ["hinted"]


class _Hint(NamedTuple):
    name: str
    fits: Callable[[str], object]


def hinted(turns: Iterable[Turn], hints: Sequence[str]) -> list[Turn]:
    """The turns, those that fit a hint preserved with it as their focus.

    A hint such as `[FOCUS:error]` fits turns that carry this mark. Any other fits turns that carry a mark of this name,
    or say its words one after another, whatever case they are in and whatever stands between. The first one that fits
    counts. Masks fit none. Raises `ValueError` or `TypeError` for what is no list of hints.

    >>> [turn.focus for turn in hinted([Turn("tool", "E01: Overheat!"), Turn("user", "Oh.")], ["e01 overheat"])]
    ['e01 overheat', None]
    """
    known = _known(hints)
    return [_with_focus(turn, known) for turn in turns]


def _with_focus(turn: Turn, known: Sequence[_Hint]) -> Turn:
    if turn.masked:
        return turn
    fit = next((hint for hint in known if hint.fits(turn.content)), None)
    return turn if fit is None else replace(turn, focus=turn.focus or fit.name, linearity=Linearity.PRESERVED)


def _known(hints: Sequence[str]) -> list[_Hint]:
    # A single text would be taken letter by letter.
    if isinstance(hints, str) or not isinstance(hints, Sequence):
        raise TypeError(f"focus_hints is a list of texts, not {type(hints).__name__}")
    if len(hints) > HINTS_MAX:
        raise ValueError(f"{len(hints)} focus hints; at most {HINTS_MAX} are allowed")
    return [_hint(_checks.short_text("focus hint", hint).strip()) for hint in hints]


def _hint(hint: str) -> _Hint:
    if marked := focus_marks(hint):
        return _Hint(marked[0], lambda content: marked[0] in focus_marks(content))
    words = re.findall(r"\w+", hint)
    if not words:
        return _Hint(hint, lambda content: hint in content)
    said = re.compile(
        _edge(words[0][0], "(?<!\\w)") + r"\W+".join(words) + _edge(words[-1][-1], "(?!\\w)"), re.IGNORECASE
    )
    return _Hint(hint, lambda content: said.search(content) or hint.lower() in focus_marks(content))


def _edge(letter: str, boundary: str) -> str:
    # Scripts without upper and lower case mostly put no space between words either.
    return boundary if letter.isdigit() or letter.lower() != letter.upper() else ""
