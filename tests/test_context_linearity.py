"""What may become of a turn: three classes, and who decides on them."""

import pytest

from chrysalis_memory.context import Linearity, Turn


def test_the_classes_are_text_and_are_found_by_their_names():
    assert [str(one) for one in Linearity] == ["droppable", "required", "preserved"]
    assert Linearity("required") is Linearity.REQUIRED


@pytest.mark.parametrize("role", ["user", "assistant", "system", "reviewer"])
def test_what_somebody_says_is_required(role):
    assert Turn(role, "We fire at cone 6.").linearity_class is Linearity.REQUIRED


@pytest.mark.parametrize("role", ["tool", "Tool", "function", "tool_call", "tool_output", "thinking"])
def test_what_a_tool_says_is_droppable(role):
    assert Turn(role, "a page").linearity_class is Linearity.DROPPABLE


def test_a_mask_is_droppable_whatever_else_is_said_of_it():
    assert Turn("user", "[...]", masked=True).linearity_class is Linearity.DROPPABLE
    assert Turn("user", "[FOCUS:error]", Linearity.REQUIRED, "why", masked=True).linearity_class is Linearity.DROPPABLE


def test_a_focus_mark_in_the_words_preserves_a_turn_whoever_speaks():
    assert Turn("tool", "[FOCUS:error] kiln: E01").linearity_class is Linearity.PRESERVED


def test_a_focus_that_was_given_preserves_a_turn():
    turn = Turn("user", "Cone 6.", focus="decision")
    assert (turn.linearity_class, turn.why) == (Linearity.PRESERVED, "decision")


def test_a_class_that_was_given_beats_marks_and_role():
    assert Turn("tool", "E01", linearity="required").linearity_class is Linearity.REQUIRED
    assert Turn("user", "[FOCUS:error] E01", linearity=Linearity.DROPPABLE).linearity_class is Linearity.DROPPABLE
