"""Which passages say most."""

from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.context.salience import Candidate, chosen

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        text=st.lists(st.sampled_from("kiln glaze cone six the a of celadon ash ?".split()), max_size=6).map(" ".join),
        turn=st.integers(0, 9),
        tokens=st.integers(0, 20),
        frame=st.just(4),
        weight=st.sampled_from([0.25, 1.0]),
    ),
    max_size=12,
)


def said(texts, room):
    return [texts[index] for index in chosen([Candidate(text, turn, 4, 4) for turn, text in enumerate(texts)], room, 9)]


@given(CANDIDATES, st.integers(0, 150))
def test_what_is_chosen_fits_with_the_frames_of_its_turns(candidates, room):
    picked = [candidates[index] for index in chosen(candidates, room, 10)]
    assert sum(one.tokens for one in picked) + 4 * len({one.turn for one in picked}) <= room


@given(CANDIDATES, st.integers(0, 150))
def test_nothing_that_would_still_fit_is_left_and_nothing_is_taken_twice(candidates, room):
    picked = chosen(candidates, room, 10)
    assert len(set(picked)) == len(picked)
    opened = {candidates[index].turn for index in picked}
    left = room - sum(candidates[index].tokens for index in picked) - 4 * len(opened)
    rest = [one for index, one in enumerate(candidates) if index not in picked]
    assert all(one.tokens + (0 if one.turn in opened else one.frame) > left for one in rest)


@given(CANDIDATES, st.integers(0, 150))
def test_each_one_taken_had_the_greatest_gain_of_those_that_fitted(candidates, room):
    # The same choice by weighing everything anew each time, which is what the heap spares.
    from chrysalis_memory.context.salience import _Choice

    choice, left, picked = _Choice(candidates, room, 10), list(range(len(candidates))), []
    while left := [index for index in left if choice.cost(index) <= choice.room]:
        best = max(left, key=lambda index: (choice.gain(index), -index))
        choice.take(best)
        picked.append(best)
        left.remove(best)
    assert chosen(candidates, room, 10) == picked


def test_rare_words_say_more_than_common_ones():
    assert said(["yes we do", "celadon ash glaze", "yes do we", "we do so"], 8) == ["celadon ash glaze"]


def test_what_was_said_already_says_less():
    assert said(["celadon glaze", "celadon glaze", "ash pots"], 16) == ["ash pots", "celadon glaze"]


def test_the_words_of_a_model_weigh_less():
    others = [Candidate(text, turn, 4, 4, 0.25) for turn, text in enumerate(["celadon", "glaze"])]
    assert chosen([*others, Candidate("pots", 2, 4, 4)], 8, 3) == [2]


def test_a_choice_is_spread_over_the_window():
    candidates = [Candidate(f"word{number}", number, 4, 4) for number in range(100)]
    turns = sorted(chosen(candidates, 400, 100))
    assert [turn // 10 for turn in turns] == [stretch for stretch in range(10) for _ in range(5)]


def test_a_text_of_one_sentence_again_and_again_is_chosen_from_in_a_bounded_number_of_looks(monkeypatch):
    from chrysalis_memory.context.salience import _LOOKS_EACH, _LOOKS_LEAST, _Choice

    looks = []
    gain = _Choice.gain
    monkeypatch.setattr(_Choice, "gain", lambda choice, index: looks.append(index) or gain(choice, index))
    same = [Candidate("the kiln", turn, 4, 4) for turn in range(20_000)]
    assert len(chosen(same, 8 * 1000, 20_000)) == 1000
    assert len(looks) <= _LOOKS_LEAST + (_LOOKS_EACH + 1) * len(same)
