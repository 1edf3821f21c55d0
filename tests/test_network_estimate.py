"""How many rounds news takes."""

import pytest

from chrysalis_memory.network import rounds_estimate


def test_the_estimate_is_that_of_the_formulas():
    assert rounds_estimate(1_000, 3) == pytest.approx(5.944, abs=0.001)
    assert rounds_estimate(1_000, 3, mode="push") == pytest.approx(8.285, abs=0.001)


def test_the_smallest_spaces_have_an_answer():
    assert [rounds_estimate(count) for count in (0, 1, 2)] == [0.0, 0.0, 1.0]


def test_what_makes_no_sense_is_refused():
    for replicas, fanout in ((-1, 3), (10, 0)):
        with pytest.raises(ValueError, match="at least 0 and 1"):
            rounds_estimate(replicas, fanout)
    with pytest.raises(ValueError, match="no mode"):
        rounds_estimate(10, 3, mode="pull")
