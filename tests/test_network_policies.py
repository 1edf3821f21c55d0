"""When what was written leaves."""

import pytest

from chrysalis_memory.network import CheckIn, Lumped, Streaming
from chrysalis_memory.network.policies import policy_of

HOUR = 3600.0


def test_streaming_sends_everything_at_once_unless_a_least_importance_is_given():
    assert Streaming().holds is False
    assert Streaming(importance_min=0.7).holds is True
    assert [Streaming(importance_min=0.7).wants(5, importance) for importance in (0.0, 0.69, 0.7, 1.0)] == [
        False,
        False,
        True,
        True,
    ]
    assert Streaming(importance_min=0.7).wants(0, 1.0) is False


def test_lumps_leave_by_the_hour_or_when_many_wait():
    lumped = Lumped(interval_s=HOUR, batch=10)
    assert (lumped.steady, lumped.next_s(100.0)) == (False, 100.0 + HOUR)
    assert [lumped.wants(count, 1.0) for count in (1, 9, 10, 11)] == [False, False, True, True]


def test_check_ins_keep_to_the_schedule_whatever_waits():
    daily = CheckIn(at=("15:30", "03:00"))
    assert daily.wants(10**6, 1.0) is False
    day = 24 * HOUR
    assert daily.next_s(0.0) == 3 * HOUR
    assert daily.next_s(3 * HOUR) == 15.5 * HOUR
    assert daily.next_s(20 * HOUR) == day + 3 * HOUR
    assert daily.next_s(10 * day + 4 * HOUR) == 10 * day + 15.5 * HOUR


def test_check_ins_verify_unless_told_otherwise():
    assert CheckIn().validates is True
    assert CheckIn(validate=False).validates is False
    assert Lumped().validates is False


def test_a_name_stands_for_the_usual_policy():
    assert policy_of("streaming") == Streaming()
    assert policy_of("lumped") == Lumped()
    assert policy_of("check_in") == CheckIn()
    assert policy_of(Lumped(batch=3)) == Lumped(batch=3)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Streaming(importance_min=1.5), "importance_min"),
        (lambda: Streaming(interval_s=0), "interval_s"),
        (lambda: Lumped(interval_s=-1), "interval_s"),
        (lambda: Lumped(batch=0), "batch"),
        (lambda: CheckIn(interval_s=float("inf")), "interval_s"),
        (lambda: CheckIn(at=("25:00",)), "time of day"),
        (lambda: CheckIn(at=("noon",)), "time of day"),
        (lambda: policy_of("sometimes"), "no policy"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(make, what):
    with pytest.raises(ValueError, match=what):
        make()


def test_a_policy_of_the_wrong_type_is_refused():
    with pytest.raises(TypeError, match="number"):
        Lumped(interval_s="an hour")
    with pytest.raises(TypeError, match="sequence"):
        CheckIn(at="03:00")
    with pytest.raises(TypeError, match="not int"):
        policy_of(3)
