"""Simulations of gossip and of learning together: what Python gets of them."""

import pytest

from chrysalis_memory.simulation import simulate, simulate_liars


@pytest.mark.parametrize("mode", ["gossip", "nodes", "push", "push-pull"])
def test_everyone_has_it_in_the_end_however_it_travels(mode):
    told = simulate(80, loss=0.1, mode=mode, seeds=2)
    assert (told.replicas, told.seeds, told.complete) == (80, 2, 2)
    assert told.shares[0] == 1 / 80
    assert told.shares[-1] == 1.0
    assert told.mean_rounds <= told.p99_rounds <= told.max_rounds == len(told.shares) - 1
    assert (told.links is not None) == (mode in {"gossip", "nodes"})


def test_the_same_seed_gives_the_same_figures():
    assert simulate(50, loss=0.2, seed=3) == simulate(50, loss=0.2, seed=3)
    assert simulate(50, loss=0.2, seed=3) != simulate(50, loss=0.2, seed=4)


@pytest.mark.parametrize(
    "wrong", [{"replicas": 1}, {"replicas": 300_000}, {"fanout": 0}, {"loss": 1.5}, {"loss": -0.1}, {"mode": "shout"}]
)
def test_what_cannot_be_simulated_is_refused(wrong):
    with pytest.raises(ValueError, match=r"replicas|loss|mode"):
        simulate(**{"replicas": 10, **wrong})


def test_the_trimmed_mean_comes_to_the_truth_while_a_third_lie_and_the_others_do_not():
    rounds = simulate_liars(99, 1 / 3, truth=0.5, tries=20, rounds=40)
    first, last = rounds[0], rounds[-1]
    assert len(rounds) == 40
    assert abs(last.trimmed_mean - 0.5) < 0.03 < abs(first.trimmed_mean - 0.5)
    assert last.mean > 0.6
    assert last.maximum == 1.0


@pytest.mark.parametrize("wrong", [{"agents": 0}, {"share": 1.1}, {"truth": -1}])
def test_liars_out_of_bounds_are_refused(wrong):
    with pytest.raises(ValueError, match=r"agents|share|truth"):
        simulate_liars(**{"agents": 10, "share": 0.3, **wrong})


def test_whoever_watches_may_end_a_long_simulation_by_an_error():
    def enough(progress):
        if progress.rounds == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        simulate(100, watch=enough)
