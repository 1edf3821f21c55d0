"""Compressing windows: what must stay stays, the budget holds, and nothing is lost to a bad summariser."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrysalis_memory.context import ContextProjector, ContextWindow, FocusFragment, Linearity, Turn
from chrysalis_memory.context.passages import ELLIPSIS
from context_cases import windows

SENTENCES = st.lists(
    st.sampled_from(
        [
            "The kiln reaches 1240 degrees. ",
            "Bowls warp at cone ten. ",
            "Yes! ",
            "Why is that?\n",
            "Celadon it is. ",
            "釉薬は青磁。",
        ]
    ),
    max_size=15,
).map("".join)
WINDOWS = windows(most=6, content=SENTENCES)
HINTS = st.lists(st.sampled_from(["celadon", "cone ten", "no such words"]), max_size=2)


def by_words(text):
    return len(text.split())


def long_window():
    """Forty turns of a user, a model and a tool, with one decision among them."""
    window = ContextWindow()
    for number in range(10):
        window = window.add("user", f"Shelf {number} holds bowl{number}. Please look at it, and tell me what you see.")
        window = window.add("assistant", f"On shelf {number} there is a bowl. It is fine, and I see no cracks in it.")
        window = window.add("tool", f"camera {number}: " + "pixel " * 40)
        window = window.add("user", f"Then glaze{number} goes on it.", focus="decision" if number == 4 else None)
    return window


def preserved(window):
    return [turn for turn in window if turn.linearity_class is Linearity.PRESERVED]


@given(WINDOWS, st.integers(1, 400), HINTS)
def test_the_budget_holds_unless_what_is_preserved_takes_more(window, budget, hints):
    projection = ContextProjector().project(window, budget, hints)
    assert projection.tokens == projection.window.tokens() == projection.summary_tokens + projection.focus_tokens
    assert (projection.tokens <= budget) is not projection.over_budget
    assert projection.over_budget == (projection.focus_tokens > budget)
    if projection.over_budget:
        assert all(turn.linearity_class is Linearity.PRESERVED for turn in projection.window)


@given(WINDOWS, st.integers(1, 400), HINTS)
def test_what_is_preserved_stays_verbatim_and_everything_stays_in_order(window, budget, hints):
    projection = ContextProjector().project(window, budget, hints)
    before = {turn.position: turn for turn in window}
    kept = preserved(projection.window)
    assert [(turn.position, turn.content) for turn in kept] == [
        (turn.position, turn.content) for turn in window if turn.position in {one.position for one in kept}
    ]
    assert {turn.position for turn in preserved(window)} <= {turn.position for turn in kept}
    assert [(one.content, one.position) for one in projection.fragments] == [
        (one.content, one.position) for one in kept
    ]
    positions = [turn.position for turn in projection.window]
    assert positions == sorted(set(positions))
    assert set(positions) <= set(before)


@given(WINDOWS, st.integers(1, 400))
def test_every_kept_word_stood_in_its_turn(window, budget):
    projection = ContextProjector().project(window, budget)
    before = {turn.position: turn for turn in window}
    for turn in projection.window:
        if turn.masked:
            continue
        whole = before[turn.position]
        place = 0
        for part in turn.content.replace(whole.content, "").split(ELLIPSIS):
            place = whole.content.index(part.strip(), place)
        assert replace(turn, content=whole.content, linearity=whole.linearity) == whole


@given(WINDOWS, st.integers(1, 400))
def test_a_droppable_turn_has_room_only_when_no_other_was_shortened(window, budget):
    projection = ContextProjector().project(window, budget)
    kept = {turn.position: turn for turn in projection.window if not turn.masked}
    if any(turn.linearity_class is Linearity.DROPPABLE for turn in kept.values()):
        required = [turn for turn in window if turn.linearity_class is Linearity.REQUIRED]
        assert [kept.get(turn.position) for turn in required] == required


@given(WINDOWS, st.integers(1, 400), HINTS)
@settings(max_examples=50)
def test_the_same_window_always_gives_the_same_projection(window, budget, hints):
    again = ContextWindow.from_dict(json.loads(json.dumps(window.to_dict())))
    assert ContextProjector().project(window, budget, hints) == ContextProjector().project(again, budget, hints)


@given(WINDOWS, st.integers(1, 200), st.integers(1, 200))
@settings(max_examples=50)
def test_a_projection_can_be_projected_again_and_loses_no_fragment(window, first, second):
    once = ContextProjector().project(window, first)
    twice = ContextProjector().project(once.window, second)
    assert twice.fragments == once.fragments
    assert twice.over_budget or twice.tokens <= second


@given(WINDOWS, st.integers(1, 60))
@settings(max_examples=50)
def test_the_budget_holds_for_counters_whose_parts_do_not_add_up(window, budget):
    def uneven(text):
        return len(text.split()) + (len(text) % 7) * 2

    projection = ContextProjector(uneven).project(window, budget)
    assert projection.over_budget or projection.window.tokens(uneven) <= budget


def test_a_window_that_fits_is_left_as_it_is():
    window = long_window()
    projection = ContextProjector().project(window, window.tokens())
    assert projection.window == window
    assert (projection.left_out, projection.shortened, projection.over_budget) == (0, 0, False)
    assert projection.fragments == (FocusFragment("decision", "Then glaze4 goes on it.", 19),)


def test_turns_of_tools_are_masked_first():
    window = long_window()
    needed = sum(turn.tokens() for turn in window if turn.role != "tool")
    projection = ContextProjector().project(window, needed * 40 // 39 + 2)
    kept = [turn for turn in projection.window if not turn.masked]
    assert [turn.content for turn in kept] == [turn.content for turn in window if turn.role != "tool"]
    masks = [turn for turn in projection.window if turn.masked]
    assert {turn.content for turn in masks} == {"[1 turn left out]"}
    assert projection.left_out == 10


def test_what_only_the_user_said_outlives_what_a_model_can_say_again():
    projection = ContextProjector().project(long_window(), 200)
    kept = [turn.role for turn in projection.window if not turn.masked]
    assert kept.count("user") > 5 * kept.count("assistant")


def test_the_newest_turns_stay():
    projection = ContextProjector().project(long_window(), 320)
    assert projection.window.turns[-1].content == "[1 turn left out]" or projection.window.turns[-1].position == 39


def test_masks_say_how_many_turns_are_missing_also_after_a_second_time():
    once = ContextProjector().project(long_window(), 300)
    twice = ContextProjector().project(once.window, 150)
    for window in (once.window, twice.window):
        for turn, after in zip(window.turns, window.turns[1:], strict=False):
            if turn.masked:
                assert turn.content.startswith(f"[{after.position - turn.position} turn")


def test_the_focus_stays_on_its_turn_or_goes_to_the_last_before_it():
    window = long_window().moved(19)
    assert ContextProjector().project(window, 100).window.extract().focus == "decision"
    gone = ContextProjector().project(window.moved(2), 60).window
    assert gone.extract().position <= 2 or gone.place == 0


def test_summary_and_fragments_are_the_two_parts_of_the_window():
    projection = ContextProjector(by_words).project(long_window(), 120, ["bowl7"])
    rest = [turn for turn in projection.window if turn.linearity_class is not Linearity.PRESERVED]
    assert projection.summary == ContextWindow(rest).as_text()
    assert [fragment.hint for fragment in projection.fragments] == ["decision", "bowl7"]
    assert json.loads(json.dumps(projection.to_dict()))["tokens"] == projection.tokens


def test_an_empty_window_stays_empty():
    projection = ContextProjector().project(ContextWindow(), 10)
    assert (projection.window, projection.summary, projection.tokens) == (ContextWindow(), "", 0)


@pytest.mark.parametrize("budget", [0, -1, 1.5, "10", True, None])
def test_a_budget_that_makes_no_sense_is_refused(budget):
    with pytest.raises((ValueError, TypeError), match="budget_tokens"):
        ContextProjector().project(long_window(), budget)


# Summarisers.


async def project_both_ways(projector, *arguments):
    one, other = projector.project(*arguments), await projector.aproject(*arguments)
    assert one == other
    return one


async def test_a_summariser_tells_the_older_turns_and_the_newest_stay_verbatim():
    asked = []

    def summariser(text, tokens_max):
        asked.append((text, tokens_max))
        return "There were bowls on shelves."

    projection = await project_both_ways(ContextProjector(summariser=summariser), long_window(), 200)
    summary, *rest = projection.window.turns
    assert summary == Turn("system", "There were bowls on shelves.", Linearity.REQUIRED, name="summary", position=0)
    assert [turn.position for turn in rest] == sorted({19, *(turn.position for turn in rest)})
    assert rest[-1] == long_window().turns[-1]
    assert all(turn in long_window().turns for turn in rest)
    assert projection.tokens <= 200
    assert projection.warning is None
    assert projection.summary.startswith("system (summary): There were bowls on shelves.")
    text, tokens_max = asked[0]
    assert "Shelf 0 holds bowl0." in text
    assert "pixel" not in text
    assert "glaze4" not in text
    assert 0 < tokens_max < 200


async def test_an_async_summariser_does_the_same():
    async def summariser(*_):
        return "There were bowls on shelves."

    projection = await project_both_ways(ContextProjector(summariser=summariser), long_window(), 200)
    assert projection.window.turns[0].content == "There were bowls on shelves."


def broken(*_):
    raise ConnectionError("no route to sk-123")


@pytest.mark.parametrize(
    ("summariser", "reason"),
    [
        (broken, "failed with ConnectionError"),
        (lambda text, _: text, "were allowed"),
        (lambda *_: "", "is empty"),
        (lambda *_: 7, "is text, not int"),
    ],
)
async def test_without_a_usable_summary_sentences_are_chosen_and_a_warning_says_why(summariser, reason):
    projection = await project_both_ways(ContextProjector(summariser=summariser), long_window(), 200)
    assert reason in projection.warning
    assert projection.warning.endswith("; sentences were chosen instead")
    assert "sk-123" not in projection.warning
    assert replace(projection, warning=None) == ContextProjector().project(long_window(), 200)


async def test_a_summariser_that_never_answers_costs_its_time_and_nothing_else():
    import asyncio

    async def silent(*_):
        await asyncio.Event().wait()

    projection = await ContextProjector(summariser=silent, summary_timeout_s=0.05).aproject(long_window(), 200)
    assert replace(projection, warning=None) == ContextProjector().project(long_window(), 200)
    assert "did not answer within 0.05 s" in projection.warning


async def test_nobody_is_asked_where_everything_fits_or_no_summary_would():
    def summariser(*_):
        raise AssertionError("was asked")

    projector = ContextProjector(summariser=summariser)
    for budget in (long_window().tokens(), 20):
        assert (await project_both_ways(projector, long_window(), budget)).warning is None


def test_a_waiting_time_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="summary_timeout_s"):
        ContextProjector(summary_timeout_s=0)
