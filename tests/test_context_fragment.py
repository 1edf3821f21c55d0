"""Fragments: what was kept word for word, and why."""

import json

import pytest

from chrysalis_memory import Malformed, TooLarge
from chrysalis_memory.context import FocusFragment, Linearity
from chrysalis_memory.context.limits import TURN_BYTES_MAX


def test_a_fragment_has_the_fields_of_its_plain_data_and_comes_back():
    fragment = FocusFragment("decision", "Cone 6.", 4)
    assert fragment.to_dict() == {"hint": "decision", "content": "Cone 6.", "position": 4, "linearity": "preserved"}
    assert FocusFragment.from_dict(json.loads(json.dumps(fragment.to_dict()))) == fragment
    assert fragment.linearity is Linearity.PRESERVED


@pytest.mark.parametrize(
    "changes", [{"hint": ""}, {"hint": None}, {"content": 4}, {"position": -1}, {"position": "4"}, {"linearity": "x"}]
)
def test_what_is_no_fragment_is_malformed(changes):
    with pytest.raises(Malformed, match=f"FocusFragment: {next(iter(changes))}"):
        FocusFragment.from_dict({"hint": "decision", "content": "Cone 6.", "position": 4, **changes})


def test_a_fragment_that_lacks_a_field_says_which():
    with pytest.raises(Malformed, match="lacks content, position"):
        FocusFragment.from_dict({"hint": "decision"})


def test_a_fragment_is_no_longer_than_a_turn():
    with pytest.raises(TooLarge):
        FocusFragment("decision", "x" * (TURN_BYTES_MAX + 1), 4)
