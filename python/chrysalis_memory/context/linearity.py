"""What may become of a turn when its window is compressed."""

from __future__ import annotations

from enum import Enum

__all__ = ["Linearity"]


class Linearity(str, Enum):
    """How dear a turn is. Windows lose the droppable first, and the preserved never.

    >>> Linearity("preserved") is Linearity.PRESERVED, f"{Linearity.DROPPABLE}"
    (True, 'droppable')
    """

    DROPPABLE = "droppable"
    """May be masked: only a mark says that something stood there."""
    REQUIRED = "required"
    """Stays in substance: its weightiest sentences, word for word, as far as the budget goes."""
    PRESERVED = "preserved"
    """Stays verbatim, whatever the budget."""

    # Without this, formatting would give "Linearity.REQUIRED" on some versions of Python and "required" on others.
    __str__ = str.__str__
