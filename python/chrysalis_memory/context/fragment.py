"""What a compressed window keeps word for word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chrysalis_memory.context import _checks
from chrysalis_memory.context.linearity import Linearity

__all__ = ["FocusFragment"]


@dataclass(frozen=True)
class FocusFragment:
    """A turn that was kept verbatim, and why.

    >>> fragment = FocusFragment("decision", "We fire at cone 6.", 4)
    >>> FocusFragment.from_dict(fragment.to_dict()) == fragment
    True
    """

    hint: str
    """What it was kept for: the name in a focus mark, a hint of the user, or the class of the turn."""
    content: str
    """The words, unchanged."""
    position: int
    """Where the turn stood in the history, counted from 0."""
    linearity: Linearity = Linearity.PRESERVED

    def __post_init__(self) -> None:
        object.__setattr__(self, "hint", _checks.short_text("hint", self.hint))
        object.__setattr__(self, "content", _checks.content("content", self.content))
        object.__setattr__(self, "position", _checks.position("position", self.position))
        object.__setattr__(self, "linearity", _checks.linearity("linearity", self.linearity))

    def to_dict(self) -> dict[str, Any]:
        """The fragment as plain data that `json.dumps` takes."""
        return {
            "hint": self.hint,
            "content": self.content,
            "position": self.position,
            "linearity": self.linearity.value,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> FocusFragment:
        """The fragment that `to_dict` told of; keys that are not known are passed over.

        Raises `Malformed` for data of another shape, and `TooLarge` for more than a window may hold.
        """
        return _checks.built(cls, told, required=("hint", "content", "position"), optional=("linearity",))
