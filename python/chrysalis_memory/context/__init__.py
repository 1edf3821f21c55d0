"""The working context of an agent: windows of turns, and compressing them without losing what matters.

>>> from chrysalis_memory.context import ContextWindow
>>> window = ContextWindow().add("user", "Which cone?").add("assistant", "[FOCUS:decision] Cone 6.")
>>> [str(turn.linearity_class) for turn in window.turns]
['required', 'preserved']
"""

from __future__ import annotations

from chrysalis_memory.context.crystal import CRYSTAL_TTL, StateCrystal, TaskState, new_crystal_id
from chrysalis_memory.context.crystals import Crystals
from chrysalis_memory.context.engine import CrystallizationEngine
from chrysalis_memory.context.entry import CrystalEntry, TreeRow
from chrysalis_memory.context.fragment import FocusFragment
from chrysalis_memory.context.linearity import Linearity
from chrysalis_memory.context.marks import focus_marks
from chrysalis_memory.context.pointed import Pointed
from chrysalis_memory.context.projection import Projection
from chrysalis_memory.context.projector import ContextProjector
from chrysalis_memory.context.reaper import Composted, CrystalReaper, ReapReport
from chrysalis_memory.context.summarising import Summariser
from chrysalis_memory.context.tokens import TokenCounter, estimate_tokens
from chrysalis_memory.context.transcripts import TRANSCRIPT_FORMATS, Transcript, TranscriptFormat, read_transcripts
from chrysalis_memory.context.turn import TURN_TOKENS, Turn
from chrysalis_memory.context.window import ContextWindow

__all__ = [
    "CRYSTAL_TTL",
    "TRANSCRIPT_FORMATS",
    "TURN_TOKENS",
    "Composted",
    "ContextProjector",
    "ContextWindow",
    "CrystalEntry",
    "CrystalReaper",
    "CrystallizationEngine",
    "Crystals",
    "FocusFragment",
    "Linearity",
    "Pointed",
    "Projection",
    "ReapReport",
    "StateCrystal",
    "Summariser",
    "TaskState",
    "TokenCounter",
    "Transcript",
    "TranscriptFormat",
    "TreeRow",
    "Turn",
    "estimate_tokens",
    "focus_marks",
    "new_crystal_id",
    "read_transcripts",
]
