"""How old an answer may be: fresh, stale or refused; and how the threshold follows the calls."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.ghost import Staleness
from chrysalis_memory.ghost.limits import CALLS_REMEMBERED
from chrysalis_memory.ghost.stability import Stability
from chrysalis_memory.ghost.staleness import in_words, judge, threshold_s
from ghost_cases import NOON


def level(age_s, threshold=100.0):
    return judge(NOON - timedelta(seconds=age_s), NOON, threshold).level


def test_the_levels_change_at_the_threshold_and_at_twice_the_threshold():
    assert [level(age) for age in (0, 99.9, 100, 199.9, 200, 1e9)] == [
        Staleness.FRESH,
        Staleness.FRESH,
        Staleness.STALE,
        Staleness.STALE,
        Staleness.REFUSE,
        Staleness.REFUSE,
    ]


def test_stale_and_refused_answers_say_why_and_fresh_ones_need_not():
    assert judge(NOON, NOON, 100).why == ""
    assert judge(NOON - timedelta(seconds=150), NOON, 100).why == ("2 minutes old; it counts as fresh for 1 minute")
    assert judge(NOON - timedelta(hours=3), NOON, 3600).why == (
        "3 hours old; after 2 hours it would rather mislead than help"
    )


def test_an_answer_from_the_future_is_never_fresh_and_says_so():
    slightly = judge(NOON + timedelta(seconds=60), NOON, 100)
    assert slightly.level is Staleness.STALE
    assert slightly.why == "dated 1 minute in the future: this machine's clock was set back, or was ahead"
    assert judge(NOON + timedelta(seconds=200), NOON, 100).level is Staleness.REFUSE
    assert judge(NOON + timedelta(seconds=1), NOON, 100).level is Staleness.FRESH


@given(st.floats(-1e9, 1e9), st.floats(1, 1e6))
def test_every_age_has_one_level_and_what_is_older_is_never_fresher(age_s, threshold):
    order = list(Staleness)
    judged = judge(NOON - timedelta(seconds=age_s), NOON, threshold)
    older = judge(NOON - timedelta(seconds=abs(age_s) + 1), NOON, threshold)
    assert order.index(judged.level) <= order.index(older.level) or age_s < 0
    assert (judged.why == "") == (judged.level is Staleness.FRESH)


def test_the_threshold_is_base_times_one_plus_stability():
    assert threshold_s(600, 0) == 600
    assert threshold_s(600, 0.25) == 750
    assert threshold_s(600, 1) == 1200


def test_the_stability_is_the_share_of_the_last_calls_that_succeeded():
    measured = Stability()
    assert (measured.score, measured.calls) == (0.0, 0)
    for succeeded in (True, True, False, True):
        measured = measured.and_then(succeeded)
    assert (measured.score, measured.calls, measured.succeeded) == (0.75, 4, 3)


def test_only_the_last_hundred_calls_count():
    measured = Stability()
    for _ in range(CALLS_REMEMBERED):
        measured = measured.and_then(False)
    for _ in range(CALLS_REMEMBERED):
        measured = measured.and_then(True)
    assert (measured.score, measured.calls) == (1.0, CALLS_REMEMBERED)


def test_of_a_stored_record_only_the_calls_are_believed():
    assert Stability.from_dict({"score": 1.0, "calls": 9, "recent": "10"}).score == 0.5
    for lie in (None, [], {"score": 1.0}, {"recent": 1}, {"recent": "12"}, {"recent": "1" * (CALLS_REMEMBERED + 1)}):
        with pytest.raises(ValueError, match="no record of calls"):
            Stability.from_dict(lie)


def test_ages_are_said_in_their_two_largest_units():
    assert [in_words(s) for s in (0, 1, 59, 60, 3599, 3660, 86400 * 8)] == [
        "less than a second",
        "1 second",
        "59 seconds",
        "1 minute",
        "59 minutes",
        "1 hour 1 minute",
        "1 week 1 day",
    ]
