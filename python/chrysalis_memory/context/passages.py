"""Cutting a turn into sentences and lines, each a stretch of the words as they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["ELLIPSIS", "Passage", "joined", "passages"]

ELLIPSIS: Final = "…"
"""Stands in a turn where words of it were left out."""

_PASSAGE_CHARACTERS_MAX: Final = 600
# The marks of Chinese and Japanese end a sentence without a space after them.
# Of marks in a row the last one counts: to look for all of them at each would take the square of their number.
_END: Final = re.compile(r"(?:[.!?\u2026][\"'\u201d\u2019)\]*_]{0,4}(?=\s)|[\u3002\uff01\uff1f]+|\n)\s*")
_SHORT: Final = 12


class Passage(NamedTuple):
    """Where a sentence begins and ends in a text, the white space after it included."""

    start: int
    end: int


def passages(text: str) -> list[Passage]:
    """The sentences and lines of a text; together they are the text. What has no end is cut between words.

    >>> [text[p.start : p.end] for text in ["Cone 6 it is. Not cone 10!\\nSlow."] for p in passages(text)]
    ['Cone 6 it is. ', 'Not cone 10!\\n', 'Slow.']
    """
    found: list[Passage] = []
    start = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        # "1." and "Yes!" say little alone: they go with what follows them.
        if end - start < _SHORT and end < len(text):
            continue
        found.extend(_pieces(text, start, end))
        start = end
    return found


def _pieces(text: str, start: int, end: int) -> Iterator[Passage]:
    while end - start > _PASSAGE_CHARACTERS_MAX:
        cut = text.rfind(" ", start + _PASSAGE_CHARACTERS_MAX // 2, start + _PASSAGE_CHARACTERS_MAX)
        cut = cut + 1 if cut > 0 else start + _PASSAGE_CHARACTERS_MAX
        yield Passage(start, cut)
        start = cut
    if start < end:
        yield Passage(start, end)


def joined(text: str, kept: list[Passage]) -> str:
    """The text with only these passages, in order, word for word; where others were, an ellipsis.

    >>> text = "Cone 6 it is. I ask since bowls warp. Slow cooling."
    >>> joined(text, passages(text)[1:2])
    '… I ask since bowls warp. …'
    """
    parts: list[str] = []
    last = 0
    for start, end in kept:
        if start > last:
            parts.append(_gap(parts))
        parts.append(text[start:end])
        last = end
    if last < len(text):
        parts.append(_gap(parts))
    return "".join(parts).strip()


def _gap(parts: list[str]) -> str:
    before = "" if not parts or parts[-1][-1:].isspace() else " "
    return f"{before}{ELLIPSIS} "
