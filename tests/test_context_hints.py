"""Focus hints: words from outside that preserve turns."""

import pytest

from chrysalis_memory.context import Linearity, Turn
from chrysalis_memory.context.hints import hinted
from chrysalis_memory.context.limits import HINTS_MAX


def focus_of(content, *hints, **told):
    [turn] = hinted([Turn("user", content, **told)], hints)
    return turn.focus if turn.linearity_class is Linearity.PRESERVED else None


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("we fire at CONE  6 now", "Cone 6"),
        ("cone-6", "cone 6"),
        ("an error, at last", "error"),
        ("[FOCUS:error] E01", "[FOCUS:error]"),
        ("[FOCUS: Error ] E01", " error "),
        ("größe Ä7", "ä7"),
        ("窯の温度は1240度です", "温度"),
        ("what?! (sic)", "?!"),
        ("a.b*c(d", "b*c("),
    ],
)
def test_a_turn_that_says_the_words_of_a_hint_is_preserved_for_it(content, hint):
    assert focus_of(content, hint) == ("error" if hint.startswith("[") else hint.strip())


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("coned 6", "cone"),
        ("cone 60", "cone 6"),
        ("6 cone", "cone 6"),
        ("an error without a mark", "[FOCUS:error]"),
        ("", "error"),
    ],
)
def test_what_only_looks_alike_is_left_alone(content, hint):
    assert focus_of(content, hint) is None


def test_the_first_hint_that_fits_is_the_focus_and_one_that_was_given_stays():
    assert focus_of("cone 6, E01", "glaze", "E01", "cone") == "E01"
    assert focus_of("cone 6", "cone", focus="decision") == "decision"


def test_a_hint_beats_role_and_class_and_leaves_masks_alone():
    assert focus_of("E01", "E01", linearity="droppable") == "E01"
    [mask] = hinted([Turn("system", "E01", masked=True)], ["E01"])
    assert mask == Turn("system", "E01", masked=True)


@pytest.mark.parametrize("hints", ["error", None, {"error"}, ["error", ""], [7], ["x"] * (HINTS_MAX + 1)])
def test_what_is_no_list_of_hints_is_refused(hints):
    with pytest.raises((TypeError, ValueError), match="hint"):
        hinted([], hints)


def test_a_hint_is_looked_for_in_one_pass():
    assert focus_of("cone" + " " * 1_000_000 + "7", "cone 6") is None
    assert focus_of("cone " * 200_000, "cone 6") is None
