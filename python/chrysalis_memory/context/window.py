"""The working context of an agent: turns in order, one of them in focus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from chrysalis_memory.context.limits import TURNS_MAX, WINDOW_CHARACTERS_MAX
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.context.pointed import Pointed
from chrysalis_memory.context.tokens import TokenCounter
from chrysalis_memory.context.turn import Turn
from chrysalis_memory.errors import Malformed, TooLarge
from chrysalis_memory.records import Instant

__all__ = ["ContextWindow"]

Window = TypeVar("Window", bound="ContextWindow")

_MESSAGE_ROLES = frozenset({"system", "user", "assistant"})


class ContextWindow(Pointed[Turn]):
    """Turns in the order of their positions. It never changes: adding gives a new one.

    Unless a `place` is given, the last turn is in focus. Raises `ValueError` for turns out of order and `TooLarge`
    above the bounds of windows.

    >>> window = ContextWindow().add("user", "Which cone?").add("assistant", "[FOCUS:decision] Cone 6.")
    >>> window.extract().linearity_class, len(window), window.tokens()
    (<Linearity.PRESERVED: 'preserved'>, 2, 19)
    >>> print(window.as_text())
    user: Which cone?
    <BLANKLINE>
    assistant: [FOCUS:decision] Cone 6.
    >>> window.extend(lambda view: view.tokens() - sum(turn.tokens() for turn in view.after())).items
    (7, 19)
    """

    __slots__ = ()

    def __init__(self, turns: Iterable[Turn] = (), place: int | None = None) -> None:
        super().__init__(turns, place)
        _check(self._items)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns in order."""
        return self._items

    def add(
        self: Window,
        role: str,
        content: str,
        *,
        linearity: Linearity | str | None = None,
        focus: str | None = None,
        name: str | None = None,
        at: Instant | None = None,
    ) -> Window:
        """A window with one more turn at the end, which is in focus. Raises what `Turn` does.

        Adding copies the list of turns; many at once are better given to `ContextWindow(turns)`.
        """
        position = self._items[-1].position + 1 if self._items else 0
        # The turn checks what it is told, and takes a time or a class in any form.
        told: dict[str, Any] = {"linearity": linearity, "focus": focus, "name": name, "at": at}
        turn = Turn(role, content, position=position, **told)
        if len(self._items) >= TURNS_MAX:
            raise _too_many(len(self._items) + 1)
        grown = self._at(len(self._items))
        grown._items = (*self._items, turn)
        return grown

    def tokens(self, counter: TokenCounter | None = None) -> int:
        """Tokens of all turns, with what frames them; see `estimate_tokens` for how exact the default is."""
        return sum(turn.tokens(counter) for turn in self._items)

    def as_text(self) -> str:
        """The window as one would paste it into another tool: each turn after its role, a blank line between."""
        return "\n\n".join(f"{_heading(turn)}: {turn.content}" for turn in self._items)

    def as_messages(self) -> list[dict[str, str]]:
        """The window as messages of chat interfaces. What has another role than these know is told as the user's."""
        return [_message(turn) for turn in self._items]

    def to_dict(self) -> dict[str, Any]:
        """The window as plain data that `json.dumps` takes."""
        return {"turns": [turn.to_dict() for turn in self._items], "place": self._place}

    @classmethod
    def from_dict(cls: type[Window], told: Mapping[str, Any]) -> Window:
        """The window that `to_dict` told of; keys that are not known are passed over.

        Raises `Malformed` for data of another shape, and `TooLarge` above the bounds of windows.

        >>> window = ContextWindow().add("user", "Which cone?")
        >>> ContextWindow.from_dict(window.to_dict()) == window
        True
        """
        turns = told.get("turns") if isinstance(told, Mapping) else None
        if not isinstance(turns, list | tuple):
            raise Malformed("a window is told as an object with a list of turns")
        if len(turns) > TURNS_MAX:
            raise _too_many(len(turns))
        made = [Turn.from_dict(turn) for turn in turns]
        try:
            return cls(made, told.get("place"))
        except (ValueError, TypeError) as error:
            raise Malformed(f"window: {error}") from None


def _check(turns: Sequence[Any]) -> None:
    if len(turns) > TURNS_MAX:
        raise _too_many(len(turns))
    last, size = -1, 0
    for turn in turns:
        if not isinstance(turn, Turn):
            raise TypeError(f"a window holds turns, not {type(turn).__name__}")
        if turn.position <= last:
            raise ValueError(f"turns are out of order: position {turn.position} follows {last}")
        last, size = turn.position, size + len(turn.content)
    if size > WINDOW_CHARACTERS_MAX:
        raise TooLarge(
            f"a window of {size} characters; at most {WINDOW_CHARACTERS_MAX} are allowed",
            size=size,
            limit=WINDOW_CHARACTERS_MAX,
        )


def _too_many(count: int) -> TooLarge:
    return TooLarge(f"a window of {count} turns; at most {TURNS_MAX} are allowed", size=count, limit=TURNS_MAX)


def _heading(turn: Turn) -> str:
    return turn.role if turn.name is None else f"{turn.role} ({turn.name})"


def _message(turn: Turn) -> dict[str, str]:
    if turn.masked:  # its words are in brackets already
        return {"role": "user", "content": turn.content}
    role = turn.role.lower()
    if role not in _MESSAGE_ROLES:
        return {"role": "user", "content": f"[{_heading(turn)}] {turn.content}"}
    named = {} if turn.name is None else {"name": turn.name}
    return {"role": role, "content": turn.content, **named}
