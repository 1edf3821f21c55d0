"""LoCoMo: conversations of two people over months, with questions and the turns that answer them.

Maharana and others, Evaluating Very Long-Term Conversational Memory of LLM Agents, 2024. The data have a licence of
their own and are not part of this project; give their path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.quality.collection import Collection, Conversation, Item, Question

__all__ = ["load"]

_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
_ADVERSARIAL = 5
_SESSION = re.compile(r"session_(\d+)")
_SPOKEN_DATE = "%I:%M %p on %d %B, %Y"
_LONGEST_SPAN = 30

# Evidence is typed by hand: "D8:6; D9:17", "D:11:26", "D30:05", and spans such as "D12:3-D12:5".
_EVIDENCE = re.compile(r"D\s*:?\s*(\d+)\s*[:;]\s*0*(\d+)(?:\s*-\s*(?:D?\s*(\d+):)?0*(\d+))?")


def load(path: Path) -> Collection:
    """Every conversation of the file. A turn is a memory, a session a thread."""
    samples = json.loads(path.read_text(encoding="utf-8"))
    return Collection("LoCoMo", tuple(_conversation(sample) for sample in samples))


def _conversation(sample: dict[str, Any]) -> Conversation:
    name = sample["sample_id"]
    items = tuple(_items(name, sample["conversation"]))
    known = {item.id for item in items}
    questions = tuple(_question(f"{name}#{number}", told, known) for number, told in enumerate(sample["qa"]))
    return Conversation(name, items, questions)


def _items(name: str, conversation: dict[str, Any]) -> Iterator[Item]:
    numbers = sorted(
        int(match[1])
        for key, value in conversation.items()
        if (match := _SESSION.fullmatch(key)) and isinstance(value, list)
    )
    for number in numbers:
        occurred_at = _date(conversation.get(f"session_{number}_date_time", ""))
        for turn in conversation[f"session_{number}"]:
            yield Item(turn["dia_id"], _text(turn), f"{name}/{number}", turn["speaker"], occurred_at)


def _date(spoken: str) -> str | None:
    try:
        return datetime.strptime(spoken.strip(), _SPOKEN_DATE).isoformat(timespec="minutes")
    except ValueError:
        return None


def _text(turn: dict[str, Any]) -> str:
    words = f"{turn['speaker']}: {turn.get('text') or ''}"
    caption = turn.get("blip_caption") or turn.get("img_caption")
    if isinstance(caption, list):
        caption = "; ".join(part for part in caption if part)
    return f"{words} [image: {caption}]" if caption else words


def _question(id: str, told: dict[str, Any], known: set[str]) -> Question:
    category = told["category"]
    relevant = tuple(dict.fromkeys(turn for turn in _evidence(told.get("evidence") or ()) if turn in known))
    # An adversarial question asks one speaker about what the other said: its evidence looks right and answers nothing.
    ordinary = category != _ADVERSARIAL
    answer = "" if told.get("answer") is None else str(told["answer"])
    kind = _CATEGORIES[category]
    return Question(id, told["question"], relevant, kind, main=ordinary, answerable=ordinary, answer=answer)


def _evidence(told: Iterable[Any]) -> Iterator[str]:
    for label in told:
        for session, first, last_session, last in _EVIDENCE.findall(str(label)):
            for turn in _span(session, int(first), last_session, last):
                yield f"D{int(session)}:{turn}"


def _span(session: str, first: int, last_session: str, last: str) -> range:
    whole = last != "" and last_session in ("", session) and 0 <= int(last) - first < _LONGEST_SPAN
    return range(first, int(last) + 1) if whole else range(first, first + 1)
