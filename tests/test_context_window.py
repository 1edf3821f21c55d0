"""Windows: turns in order, a comonad over them, and the forms in which they leave."""

import json

import pytest
from hypothesis import given

from chrysalis_memory import Malformed, TooLarge
from chrysalis_memory.context import ContextWindow, Linearity, Turn, limits
from context_cases import windows


def firing():
    return (
        ContextWindow()
        .add("system", "You keep the kiln log.")
        .add("user", "Which cone?", name="ada", at="2026-03-01T12:00:00Z")
        .add("assistant", "Cone 6.", focus="decision")
        .add("tool", "E01")
    )


def test_adding_gives_a_new_window_with_the_new_turn_in_focus():
    one = ContextWindow().add("user", "Which cone?")
    two = one.moved(0).add("assistant", "Cone 6.", linearity="preserved")
    assert len(one) == 1
    assert two.turns == (
        Turn("user", "Which cone?"),
        Turn("assistant", "Cone 6.", Linearity.PRESERVED, position=1),
    )
    assert two.extract().content == "Cone 6."


def test_adding_continues_the_positions_of_what_is_there():
    window = ContextWindow([Turn("user", "late", position=40)]).add("user", "later")
    assert [turn.position for turn in window] == [40, 41]


@given(windows(least=1))
def test_the_laws_hold_for_windows_and_their_views_are_windows(w):
    assert w.duplicate().extract() == w
    assert w.duplicate().map(lambda view: view.extract()) == w
    assert w.duplicate().duplicate() == w.duplicate().map(lambda view: view.duplicate())
    assert w.extend(lambda view: view.extract()) == w
    assert all(isinstance(view, ContextWindow) for view in w.duplicate())


@given(windows(least=1))
def test_extending_twice_is_extending_once_by_both_also_when_it_counts_tokens(w):
    def so_far(view):
        return sum(turn.tokens() for turn in view.before())

    def share(view):
        return (view.extract(), sum(view.after()), view.place)

    assert w.extend(so_far).extend(share) == w.extend(lambda view: share(view.extend(so_far)))


@given(windows())
def test_a_window_comes_back_from_its_plain_data_with_its_focus(w):
    assert ContextWindow.from_dict(json.loads(json.dumps(w.to_dict()))) == w


def test_as_text_every_turn_stands_after_its_role():
    assert firing().as_text() == (
        "system: You keep the kiln log.\n\nuser (ada): Which cone?\n\nassistant: Cone 6.\n\ntool: E01"
    )


def test_as_messages_only_roles_that_chats_know_are_used():
    assert firing().as_messages() == [
        {"role": "system", "content": "You keep the kiln log."},
        {"role": "user", "content": "Which cone?", "name": "ada"},
        {"role": "assistant", "content": "Cone 6."},
        {"role": "user", "content": "[tool] E01"},
    ]


def test_tokens_add_up_by_the_counter_that_is_given():
    assert firing().tokens(lambda text: len(text.split())) == 5 + 2 + 2 + 1 + 4 * 4
    assert firing().tokens() == sum(turn.tokens() for turn in firing())


def test_turns_out_of_order_are_refused():
    with pytest.raises(ValueError, match="position 1 follows 1"):
        ContextWindow([Turn("user", "a", position=1), Turn("user", "b", position=1)])
    with pytest.raises(TypeError, match="a window holds turns, not str"):
        ContextWindow(["user: hello"])


def test_a_window_of_too_much_is_refused(monkeypatch):
    with pytest.raises(TooLarge, match="at most 100000 are allowed"):
        ContextWindow.from_dict({"turns": [{}] * (limits.TURNS_MAX + 1)})
    monkeypatch.setattr("chrysalis_memory.context.window.WINDOW_CHARACTERS_MAX", 10)
    with pytest.raises(TooLarge) as refusal:
        ContextWindow([Turn("user", "123456", position=0), Turn("user", "12345", position=1)])
    assert (refusal.value.size, refusal.value.limit) == (11, 10)


def test_adding_beyond_the_greatest_number_of_turns_is_refused(monkeypatch):
    monkeypatch.setattr("chrysalis_memory.context.window.TURNS_MAX", 4)
    with pytest.raises(TooLarge):
        firing().add("user", "one more")


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {"turns": None},
        {"turns": "user"},
        {"turns": [None]},
        {"turns": [{"role": "user", "content": "a"}] * 2},
        {"turns": [{"role": "user", "content": "a"}], "place": 1},
        {"turns": [{"role": "user", "content": "a"}], "place": "0"},
    ],
)
def test_data_of_another_shape_are_malformed(told):
    with pytest.raises(Malformed):
        ContextWindow.from_dict(told)
