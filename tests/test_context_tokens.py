"""Counting tokens without a vocabulary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.context import Turn, estimate_tokens
from chrysalis_memory.context.tokens import counted

# Counted with the vocabularies that are named; these sentences were not part of what the costs were fitted to.
ENGLISH = (
    "The lighthouse keeper trimmed the wick at dusk, wrote the barometer's reading in the log, and went below to "
    "mend the net that the last gale had torn. Nobody came that night. In the morning two boats lay at anchor in the "
    "lee of the island, and the keeper rowed out with bread, letters and a keg of water."
)
CODE = "def keeper(night: int) -> str:\n    if night > 3:\n        return 'asleep'\n    return f'awake for {night} h'\n"
GERMAN = (
    "Der Leuchtturmwärter kürzte am Abend den Docht, schrieb den Stand des Barometers ins Buch und ging hinunter, "
    "um das Netz zu flicken, das der letzte Sturm zerrissen hatte."
)


@pytest.mark.parametrize(
    ("text", "cl100k_base", "o200k_base", "off_most"),
    [(ENGLISH, 73, 69, 0.1), (CODE, 35, 34, 0.15), (GERMAN, 50, 44, 0.2)],
    ids=["English", "code", "German"],
)
def test_the_guess_is_near_what_vocabularies_make_of_a_text(text, cl100k_base, o200k_base, off_most):
    real = (cl100k_base + o200k_base) / 2
    assert abs(estimate_tokens(text) - real) <= off_most * real


@given(st.text(), st.text())
def test_more_text_has_no_fewer_tokens_and_parts_add_up_nearly(one, other):
    whole = estimate_tokens(f"{one}\n{other}")
    assert max(estimate_tokens(one), estimate_tokens(other)) <= whole + 1
    assert whole <= estimate_tokens(one) + estimate_tokens(other) + 3


@given(st.text(min_size=1))
def test_something_has_a_token_at_least_and_nothing_has_none(text):
    assert estimate_tokens(text) >= 1
    assert estimate_tokens("") == 0


@pytest.mark.parametrize("piece", ["\n ", " \n", "[", "漢", "ä", "1", "a", "_", "\t"])
def test_long_runs_of_one_kind_are_counted_in_one_pass(piece):
    assert estimate_tokens(piece * 200_000) > 0


def test_another_counter_is_asked_instead():
    assert counted("one two three", lambda text: len(text.split())) == 3
    assert Turn("user", "one two three").tokens(lambda text: len(text.split())) == 7


@pytest.mark.parametrize("nonsense", [-1, 2.5, None, True, "3"])
def test_a_counter_that_gives_no_count_is_refused(nonsense):
    with pytest.raises(ValueError, match="it must give a whole number from 0"):
        counted("text", lambda _: nonsense)
