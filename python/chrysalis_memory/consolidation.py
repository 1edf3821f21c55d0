"""Consolidation: many memories that say nearly the same become one, by rule and without a language model.

It is a function of the memories alone: the memory it makes is named by the digest of what it was made from. So
consolidating twice changes nothing, and two replicas that consolidate at once make the same memory.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any, Final

from chrysalis_memory._core import Memory, fingerprint

__all__ = ["ID_PREFIX", "group", "summarise"]

ID_PREFIX: Final = "consolidated-"

# Checkpoints of one conversation say nearly the same, and one made of several could not be resumed.
_LEFT_ALONE = frozenset({"crystal"})

_WORD = re.compile(r"\w+")

# Words in more memories than this tell none of them apart, and comparing all pairs that share one costs its square.
_SHARED_MAX = 64


def group(memories: Iterable[Memory], similarity: float) -> list[list[Memory]]:
    """Groups of at least two memories of one scope and type whose words overlap by `similarity` (Jaccard index).

    Memories are joined through chains of similar ones. Sorted by id, inside and outside, so that the result does not
    depend on the order in which memories came.
    """
    sources = sorted((one for one in memories if _may_be_joined(one)), key=lambda one: one.id)
    words = [frozenset(_WORD.findall(one.content.casefold())) for one in sources]
    leader = list(range(len(sources)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for first, second in _pairs(sources, words):
        if _overlap(words[first], words[second]) >= similarity:
            low, high = sorted((find(first), find(second)))
            leader[high] = low
    groups: dict[int, list[Memory]] = defaultdict(list)
    for index, source in enumerate(sources):
        groups[find(index)].append(source)
    return [members for members in groups.values() if len(members) > 1]


def _may_be_joined(memory: Memory) -> bool:
    return not memory.id.startswith(ID_PREFIX) and memory.memory_type not in _LEFT_ALONE


def _overlap(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second) if first or second else 0.0


def _pairs(sources: list[Memory], words: list[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """Pairs of the same words, and pairs that share a word which tells memories apart, each once."""
    first_of: dict[tuple[str, str, frozenset[str]], int] = {}
    for index, source in enumerate(sources):
        first = first_of.setdefault((source.scope, source.memory_type, words[index]), index)
        if first != index:
            yield first, index
    holders: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for index, source in enumerate(sources):
        for word in words[index]:
            holders[(source.scope, source.memory_type, word)].append(index)
    seen: set[tuple[int, int]] = set()
    for shared in holders.values():
        if len(shared) <= _SHARED_MAX:
            seen.update(combinations(shared, 2))
    yield from sorted(seen)


def summarise(members: list[Memory]) -> dict[str, Any]:
    """The record of the memory that a group becomes: its longest wording, with all of them as evidence."""
    parts = "\n".join(f"{one.id} {fingerprint(one.content)}" for one in members)
    longest = max(members, key=lambda one: (len(one.content), one.content))
    return {
        "id": ID_PREFIX + fingerprint(f"chrysalis/consolidated/1\n{parts}")[:32],
        "content": longest.content,
        "memory_type": "semantic",
        "scope": longest.scope,
        "importance": max(one.importance for one in members),
        "confidence": max(one.confidence for one in members),
        "tags": sorted({tag for one in members for tag in one.tags}),
        "evidence": [one.id for one in members],
    }
