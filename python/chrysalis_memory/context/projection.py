"""What came of compressing a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chrysalis_memory.context.fragment import FocusFragment
from chrysalis_memory.context.window import ContextWindow

__all__ = ["Projection"]


@dataclass(frozen=True)
class Projection:
    """A compressed window, and what became of the turns. `tokens` is what the window takes: summary and focus."""

    window: ContextWindow
    """The turns that are left, in order: preserved ones verbatim, others whole or shortened, masks for what is gone."""
    summary: str
    """All of it that is not preserved, as text: sentences that were kept, or what a summariser made of them."""
    summary_tokens: int
    fragments: tuple[FocusFragment, ...]
    """The preserved turns, in order."""
    focus_tokens: int
    tokens: int
    left_out: int
    """Turns of which nothing is left."""
    shortened: int
    """Turns of which a part is left."""
    over_budget: bool
    """Whether the preserved turns alone take more than the budget. They are kept all the same, and nothing else is."""
    warning: str | None = None
    """Why the summariser's words are not there, if there is one and they are not."""

    def to_dict(self) -> dict[str, Any]:
        """The projection as plain data that `json.dumps` takes."""
        return {
            "window": self.window.to_dict(),
            "summary": self.summary,
            "summary_tokens": self.summary_tokens,
            "fragments": [fragment.to_dict() for fragment in self.fragments],
            "focus_tokens": self.focus_tokens,
            "tokens": self.tokens,
            "left_out": self.left_out,
            "shortened": self.shortened,
            "over_budget": self.over_budget,
            "warning": self.warning,
        }
