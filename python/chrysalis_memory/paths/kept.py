"""Answers of paths in the ghost, for the agent who asked, each under a key of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from chrysalis_memory.ghost import GhostCache, GhostReading, Staleness
from chrysalis_memory.ghost.limits import NAME_CHARACTERS_MAX
from chrysalis_memory.records import from_ms, iso, to_ms

__all__ = ["Answers"]

ANSWERS_MAX: Final = 64
"""Answers kept of one agent: more than one comes back to; the oldest makes room."""

ANSWER_BYTES_MAX: Final = 1 << 20
"""A larger answer is not kept, and that is said."""

ANSWERS_BYTES_MAX: Final = 3 << 20
"""All answers of one agent together: they are in one file."""

_KEY_CHARACTERS_MAX: Final = 4096
_SUFFIX: Final = ": answers"


class Answers:
    """What one agent was last told by each path, in one ghost: a snapshot beside the agent's own."""

    def __init__(self, ghost: GhostCache, agent: str) -> None:
        self._ghost = ghost
        self._name = agent[: NAME_CHARACTERS_MAX - len(_SUFFIX)] + _SUFFIX

    def keep(self, path: str, key: str, answer: Any, now: datetime) -> None:
        """Keeps an answer, plain JSON, under its key. Raises `ValueError` for one that is too large or no JSON."""
        size = len(json.dumps(answer, allow_nan=False))
        if size > ANSWER_BYTES_MAX:
            raise ValueError(f"the answer has {size} bytes; at most {ANSWER_BYTES_MAX} are kept")
        if len(key) > _KEY_CHARACTERS_MAX:
            raise ValueError("the arguments are too long to be kept with the answer")
        entry = {"path": path, "at": iso(now), "bytes": size, "answer": answer}
        self._change(self._name, lambda answers: {**answers, key: entry})

    def find(self, key: str, *, of_anyone: bool = False) -> GhostReading | None:
        """The answer under this key (as `{"is": answer}`), judged by its own age; None if there is none.

        `of_anyone` also looks for what other agents were told, and takes the newest.
        """
        if not of_anyone:
            return self._find(self._name, key)
        names = [one.agent for one in self._ghost.agents() if one.agent.endswith(_SUFFIX)]
        found = [reading for name in names if (reading := self._find(name, key)) is not None]
        return max(found, key=_shown_and_new) if found else None

    def _find(self, name: str, key: str) -> GhostReading | None:
        reading = self._ghost.read_agent(name)
        if reading is None or reading.level is Staleness.REFUSE:
            return reading
        entry = _answers(reading.data).get(key)
        return None if entry is None else self._judged(key, entry)

    def newest(self, path: str) -> GhostReading | None:
        """The newest answer of a path, in the same form."""
        reading = self._ghost.read_agent(self._name)
        if reading is None or reading.level is Staleness.REFUSE:
            return reading
        found = [(one["at"], key, one) for key, one in _answers(reading.data).items() if one["path"] == path]
        return self._judged(*max(found)[1:]) if found else None

    def drop(self, key: str) -> None:
        """Takes away what is kept under this key, by any agent: it was forgotten, and must not come back."""
        for one in self._ghost.agents():
            if one.agent.endswith(_SUFFIX):
                self._change(one.agent, lambda answers: {name: kept for name, kept in answers.items() if name != key})

    def _change(self, name: str, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        def edited(kept: Any) -> Any:
            before = _answers(kept)
            after = edit(before)
            return kept if after == before else self._told(after)

        self._ghost.change_agent(name, edited)

    def _told(self, answers: dict[str, Any]) -> dict[str, Any]:
        kept = self._bounded(answers)
        paths = sorted({one["path"] for one in kept.values()})
        answers_of = f"{len(kept)} answer{'s' if len(kept) != 1 else ''} of {', '.join(paths)}"
        return {"text": answers_of if kept else "no answers", "answers": kept}

    def _bounded(self, answers: dict[str, Any]) -> dict[str, Any]:
        """The newest, as many as there is room for, and none that would be refused from now on."""
        newest = sorted(answers.items(), key=lambda item: str(item[1]["at"]), reverse=True)
        kept, total = {}, 0
        for key, entry in newest[:ANSWERS_MAX]:
            total += entry["bytes"]
            if total <= ANSWERS_BYTES_MAX and self._judged(key, entry).level is not Staleness.REFUSE:
                kept[key] = entry
        return kept

    def _judged(self, key: str, entry: dict[str, Any]) -> GhostReading:
        return self._ghost.judged("answer", key, {"is": entry["answer"]}, from_ms(to_ms(entry["at"])))


def _shown_and_new(reading: GhostReading) -> tuple[bool, datetime]:
    return reading.level is not Staleness.REFUSE, reading.written_at


def _answers(kept: Any) -> dict[str, Any]:
    """The answers in a snapshot; of what another program wrote there none."""
    found = kept.get("answers") if isinstance(kept, dict) else None
    return {key: one for key, one in found.items() if _is_sound(one)} if isinstance(found, dict) else {}


def _is_sound(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str) or "answer" not in entry:
        return False
    size = entry.get("bytes")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        return False
    try:
        to_ms(str(entry.get("at")))
    except ValueError:
        return False
    return True
