"""Rates hold for each caller, and the memory of callers is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.hub.buckets import CALLERS_MAX, Buckets, whole_seconds


def test_a_burst_is_let_through_and_then_the_rate_holds():
    buckets = Buckets(per_s=10, burst=5)
    assert [buckets.take("ada", now_s=0) for _ in range(5)] == [0.0] * 5
    assert buckets.take("ada", now_s=0) == 0.1
    assert buckets.take("bob", now_s=0) == 0.0
    assert buckets.take("ada", now_s=0.1) == 0.0
    assert buckets.take("ada", now_s=0.1) > 0


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_never_more_than_the_burst_and_what_flowed_in(pauses):
    buckets, now, taken = Buckets(per_s=4, burst=3), 0.0, 0
    for pause in pauses:
        now += pause
        taken += buckets.take("ada", now_s=now) == 0
    assert taken <= 3 + 4 * now + 1e-6


def test_asking_takes_nothing():
    buckets = Buckets(per_s=1, burst=1)
    assert [buckets.wait_s("ada", now_s=0) for _ in range(3)] == [0, 0, 0]
    buckets.take("ada", now_s=0)
    assert buckets.wait_s("ada", now_s=0) == 1


def test_a_clock_that_goes_back_gives_nothing_away():
    buckets = Buckets(per_s=1, burst=1)
    buckets.take("ada", now_s=100)
    assert buckets.take("ada", now_s=50) > 0


def test_callers_beyond_the_bound_push_out_those_unheard_for_longest():
    buckets = Buckets(per_s=1, burst=1)
    for number in range(CALLERS_MAX + 10):
        buckets.take(str(number), now_s=0)
    assert len(buckets._left) == CALLERS_MAX
    assert buckets.take("0", now_s=0) == 0
    assert buckets.take(str(CALLERS_MAX + 9), now_s=0) > 0


def test_waiting_is_told_in_whole_seconds_and_never_as_none():
    assert [whole_seconds(wait) for wait in (0.001, 1, 1.2)] == ["1", "1", "2"]
