"""What is left of the evidence, question by question. Whoever compresses knows neither questions nor evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

from benchmarks.quality.collection import Collection, Conversation, Question
from benchmarks.quality.words import Stopped
from benchmarks.survival.ways import Kept, Way, window_of

__all__ = ["BUDGETS", "MEASURES", "Survival", "measure", "speakers_of_evidence"]

BUDGETS: Final = (0.05, 0.1, 0.25, 0.5, 0.75)
MEASURES: Final = ("answer", "words", "verbatim")

_WORD: Final = re.compile(r"\w+")


@dataclass
class Survival:
    """The shares that survived, by measure; a question without such a share is not in it."""

    answer: list[float]
    """Of the words of the answer that stand in the evidence and not in the question: those left in the evidence."""
    words: list[float]
    """Of the different words of an evidence turn, without the commonest of English: those left in this turn."""
    verbatim: list[float]
    """Of the evidence turns: those left whole."""

    def mean(self, name: str) -> float:
        """The mean over the questions; not a number where there are none."""
        values: list[float] = getattr(self, name)
        return sum(values) / len(values) if values else nan


def measure(collection: Collection, ways: Mapping[str, Sequence[Way]]) -> dict[str, dict[float, Survival]]:
    """By way and budget what survives; questions count as they do for recall."""
    found = {name: {budget: Survival([], [], []) for budget in BUDGETS} for name in ways}
    for conversation in collection.conversations:
        window = window_of(item.text for item in conversation.items)
        tokens = window.tokens()
        for name, same in ways.items():
            for budget in BUDGETS:
                runs = [way(window, int(tokens * budget)) for way in same]
                _add(found[name][budget], conversation, [turn.content for turn in window], runs)
    return found


def _add(survival: Survival, conversation: Conversation, whole: Sequence[str], runs: Sequence[Kept]) -> None:
    place = {item.id: position for position, item in enumerate(conversation.items)}
    for question in conversation.questions:
        if not question.main or not question.relevant:
            continue
        evidence = [place[one] for one in question.relevant]
        shares = [_shares(question, [(whole[one], kept.get(one, "")) for one in evidence]) for kept in runs]
        for name in MEASURES:
            values = [share[name] for share in shares if name in share]
            if values:
                getattr(survival, name).append(sum(values) / len(values))


def _shares(question: Question, turns: Sequence[tuple[str, str]]) -> dict[str, float]:
    shares = {
        "verbatim": sum(left == whole for whole, left in turns) / len(turns),
        "words": sum(_share(_words(whole), _words(left)) for whole, left in turns) / len(turns),
    }
    stood = set().union(*(_words(whole) for whole, _ in turns))
    if wanted := (_words(question.answer) - _words(question.text)) & stood:
        shares["answer"] = _share(wanted, set().union(*(_words(left) for _, left in turns)))
    return shares


def _share(wanted: set[str], left: set[str]) -> float:
    return len(wanted & left) / len(wanted) if wanted else 1.0


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.lower()) if word not in Stopped.left_out}


def speakers_of_evidence(collection: Collection) -> Iterator[str]:
    """Who said each turn that is evidence of a question that counts."""
    for conversation in collection.conversations:
        speakers = {item.id: item.text.partition(": ")[0] for item in conversation.items}
        for question in conversation.questions:
            if question.main:
                yield from (speakers[one] for one in question.relevant)
