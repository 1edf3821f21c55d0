"""The laws of a comonad, for sequences with a place in focus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.context import Pointed


@st.composite
def sequences(draw):
    items = draw(st.lists(st.integers(), min_size=1, max_size=8))
    return Pointed(items, draw(st.integers(0, len(items) - 1)))


# Functions that look at everything that a view has: what is before, in, and after the focus, and where that is.
FUNCTIONS = st.sampled_from(
    [
        lambda view: view.extract(),
        lambda view: view.place,
        lambda view: sum(view.before()) - sum(view.after()),
        lambda view: max(view.items) * 31 + view.extract(),
        lambda view: hash((view.before(), view.extract(), view.after())),
    ]
)


@given(sequences())
def test_extracting_what_was_duplicated_gives_it_back(w):
    assert w.duplicate().extract() == w


@given(sequences())
def test_extracting_at_every_place_of_the_duplicate_gives_it_back(w):
    assert w.duplicate().map(lambda view: view.extract()) == w


@given(sequences())
def test_duplicating_twice_is_the_same_from_outside_and_from_inside(w):
    assert w.duplicate().duplicate() == w.duplicate().map(lambda view: view.duplicate())


@given(sequences())
def test_extending_by_extracting_changes_nothing(w):
    assert w.extend(lambda view: view.extract()) == w


@given(sequences(), FUNCTIONS)
def test_extracting_what_was_extended_is_the_function_itself(w, f):
    assert w.extend(f).extract() == f(w)


@given(sequences(), FUNCTIONS, FUNCTIONS)
def test_extending_twice_is_extending_once_by_both(w, f, g):
    assert w.extend(f).extend(g) == w.extend(lambda view: g(view.extend(f)))


@given(sequences(), FUNCTIONS)
def test_extending_is_duplicating_and_mapping(w, f):
    assert w.extend(f) == w.duplicate().map(f)


@given(sequences())
def test_mapping_keeps_identity_and_composition(w):
    assert w.map(lambda item: item) == w
    assert w.map(lambda item: (item + 1) * 2) == w.map(lambda item: item + 1).map(lambda item: item * 2)


@given(sequences())
def test_before_focus_and_after_are_the_whole(w):
    assert (*w.before(), w.extract(), *w.after()) == w.items
    assert len(w.before()) == w.place


def test_a_place_is_checked_and_counts_from_the_end_when_negative():
    w = Pointed("kiln")
    assert (w.place, w.moved(0).place, w.moved(-4).place, w.moved(-1).extract()) == (3, 0, 0, "n")
    for place in (4, -5):
        with pytest.raises(ValueError, match="lies outside of 4 items"):
            w.moved(place)
    for place in (1.0, True, "1"):
        with pytest.raises(TypeError, match="place is a whole number"):
            w.moved(place)


def test_an_empty_one_has_nothing_in_focus_and_stays_empty():
    empty = Pointed()
    with pytest.raises(ValueError, match="it is empty"):
        empty.extract()
    assert empty.duplicate() == empty == empty.extend(len) == empty.map(len)


def test_equality_is_of_items_and_focus():
    assert Pointed("ab", 0) == Pointed(["a", "b"], 0)
    assert Pointed("ab", 0) != Pointed("ab", 1)
    assert Pointed("ab") != ("a", "b")
    assert len({Pointed("ab", 0), Pointed("ab", 0), Pointed("ab", 1)}) == 2
