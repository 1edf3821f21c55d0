"""Counting tokens. Every model cuts text in its own way; the default guesses well for all of them, without a download.

The guess looks at the kinds of pieces alone: short and long words, groups of digits, letters of other scripts, marks,
lines. What a piece of each kind costs was fitted to the mean of two vocabularies in wide use, `cl100k_base` and
`o200k_base`, on prose, chats, code and JSON in English and on texts in thirty other languages. Against either of the
two, whole texts in English, code and JSON come out 1 % too low to 7 % too high, and a paragraph of them up to 15 % off.
In other languages texts come out 22 % too low to 29 % too high against `o200k_base` (Vietnamese: 50 % too high), and
34 % too low to 12 % too high against `cl100k_base`, which needs more for most of them (Greek: half of it).
"""

from __future__ import annotations

import re
from typing import Final, Protocol

__all__ = ["TokenCounter", "counted", "estimate_tokens"]


class TokenCounter(Protocol):
    """Anything that is called with a text and gives its number of tokens: `lambda text: len(encoding.encode(text))`."""

    def __call__(self, text: str, /) -> int:
        """The number of tokens, from 0."""


_WORD, _DIGITS, _WIDE, _ACCENTED, _LETTER, _LINE, _GAP, _MARKS = range(1, 9)
_PIECE: Final = re.compile(
    r"([A-Za-z]+)|(\d+)|([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])|([\u00aa-\u024f])|([^\W\d_])"
    r"|(\s*\n\s*)|([^\S\n]{2,})|((?:[^\w\s]|_)+)"
)

# In hundredths of a token, so that every machine adds up to the same.
_WORDS: Final = (0, 88, 88, 88, 102, 102, 135, 135, 155, 155)
_LONG_WORD: Final = 145
_LETTER_BEYOND: Final = 22
_EACH: Final = {_WIDE: 95, _ACCENTED: 185, _LETTER: 43, _GAP: 130}
_DIGIT_GROUP: Final = 185
_LINE_END, _INDENT = 22, 85
_FIRST_MARK, _MARK_BEYOND = 70, 20


def estimate_tokens(text: str) -> int:
    """About how many tokens a language model makes of a text; 0 for nothing, at least 1 for something.

    >>> estimate_tokens("The kiln reaches 1240 degrees."), estimate_tokens("")
    (9, 0)
    """
    cost = sum(_cost(piece.lastindex, piece.end() - piece.start()) for piece in _PIECE.finditer(text))
    return max(1, round(cost / 100)) if text else 0


def _cost(kind: int | None, length: int) -> int:
    if kind == _WORD:
        return _WORDS[length] if length < len(_WORDS) else _LONG_WORD + _LETTER_BEYOND * (length - len(_WORDS) + 1)
    if kind == _MARKS:
        return _FIRST_MARK + _MARK_BEYOND * (length - 1)
    if kind == _DIGITS:
        return _DIGIT_GROUP * ((length + 2) // 3)
    if kind == _LINE:
        return _LINE_END + (_INDENT if length > 1 else 0)
    return _EACH[kind or _GAP]


def counted(text: str, counter: TokenCounter | None = None) -> int:
    """What the counter says of a text; without one, the default. Raises `ValueError` if it gives no count."""
    count = (counter or estimate_tokens)(text)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ValueError(f"the token counter gave {str(count)[:40]!r}; it must give a whole number from 0")
    return count
