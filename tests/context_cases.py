"""Turns and windows as tests want them."""

from hypothesis import strategies as st

from chrysalis_memory.context import ContextWindow, Linearity, Turn

TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)
NAMES = TEXTS.filter(lambda text: text.strip() and len(text.encode()) <= 60)


POSITIONS = st.integers(0, 2**53 - 1)


def turns(position=POSITIONS, content=TEXTS):
    """Turns of every kind."""
    return st.builds(
        Turn,
        role=st.sampled_from(["user", "assistant", "system", "tool"]) | NAMES,
        content=content,
        linearity=st.none() | st.sampled_from(Linearity),
        focus=st.none() | NAMES,
        name=st.none() | NAMES,
        at=st.none() | st.integers(-10_000_000_000, 10_000_000_000),
        position=position,
        masked=st.booleans(),
    )


@st.composite
def windows(draw, least=0, most=8, content=TEXTS):
    """Windows of a few turns, with gaps between their positions, and any of them in focus."""
    positions = sorted(draw(st.sets(st.integers(0, 1000), min_size=least, max_size=most)))
    made = [draw(turns(st.just(position), content)) for position in positions]
    return ContextWindow(made, draw(st.integers(0, len(made) - 1)) if made else None)
