"""Votes on memories: pure figures, and votes of real members."""

import pytest

from chrysalis_memory import ChrysalisMemory, NotAllowed, NotFound, ValidationVote
from chrysalis_memory.validation import Validation, mean, median, threshold, trimmed_mean

TEN = [0.9, 0.85, 0.9, 0.88, 0.92, 0.87, 0.91, 0.0, 0.1, 0.05]


def test_figures_of_ten_votes_three_of_which_lie():
    assert mean(TEN) == 0.638
    assert trimmed_mean(TEN) == 0.875
    assert median(TEN) == 0.875


def test_of_nothing_there_is_no_figure():
    assert (mean([]), median([]), trimmed_mean([])) == (None, None, None)


@pytest.mark.parametrize("lie", [0.0, 0.3, 0.7, 1.0])
def test_one_liar_among_four_moves_neither_median_nor_trimmed_mean_out_of_the_honest_range(lie):
    votes = [0.4, 0.5, 0.6, lie]
    assert 0.4 <= trimmed_mean(votes) <= 0.6
    assert 0.4 <= median(votes) <= 0.6


def test_more_than_two_thirds_must_agree():
    assert [threshold(n) for n in range(1, 8)] == [1, 2, 3, 3, 4, 5, 5]


def test_only_current_votes_count():
    votes = (ValidationVote("ada", 0.9), ValidationVote("ben", 0.9, current=False), ValidationVote("cleo", 0.2))
    found = Validation("m", votes, ("ada", "ben", "cleo"), 2)
    assert (found.mean, found.accepted, found.missing) == (0.55, False, ("ben",))
    assert found.to_dict()["accepted"] is False


@pytest.fixture
def team(tmp_path):
    """A founder, a validator and a writer of one closed space, and a way to tell all of them everything."""
    founder = ChrysalisMemory(tmp_path / "founder", agent_id="founder", space="team", closed=True, embedder="none")
    join = [(role, founder.invite(role)) for role in ("validator", "writer")]
    others = [ChrysalisMemory(tmp_path / role, agent_id=role, invite=token, embedder="none") for role, token in join]
    stores = [founder, *others]

    def exchange():
        for one in stores * 2:
            one.export(tmp_path / "bundle")
            for other in stores:
                assert other.import_(tmp_path / "bundle").failed == ()

    yield (*stores, exchange)
    for store in stores:
        store.close()


def test_votes_of_members_are_the_same_everywhere(team):
    founder, validator, writer, exchange = team
    note = writer.remember("the kiln is hot")
    exchange()
    founder.attest(note.id, 0.9)
    validator.attest(note.id, 0.8)
    exchange()
    found = founder.validate(note.id)
    assert [store.validate(note.id) for store in (validator, writer)] == [found, found]
    assert (found.accepted, found.threshold, found.missing, found.mean) == (True, 2, (), 0.85)
    writer.update(note.id, content="the kiln is cold")
    exchange()
    found = founder.validate(note.id)
    assert (found.accepted, found.mean, len(found.votes), len(found.missing)) == (False, None, 2, 2)
    founder.remove(validator.public_key)
    assert founder.validate(note.id).threshold == 1


def test_who_is_no_validator_does_not_vote(team):
    founder, _, writer, exchange = team
    note = writer.remember("mine")
    exchange()
    with pytest.raises(NotAllowed, match="to vote takes a validator"):
        writer.attest(note.id, 1.0)
    with pytest.raises(NotFound):
        founder.attest("unknown", 1.0)
    with pytest.raises(NotFound):
        founder.validate("unknown")
    with pytest.raises(ValueError, match="threshold"):
        founder.validate(note.id, threshold=0)


def test_a_robust_space_reads_trimmed_means_on_every_replica(team):
    founder, validator, writer, exchange = team
    note = writer.remember("the kiln is hot", confidence=1.0)
    exchange()
    with pytest.raises(NotAllowed):
        writer.configure(robust=True)
    founder.update(note.id, confidence=0.2)
    founder.configure(robust=True)
    exchange()
    assert [store.get(note.id).confidence for store in (founder, validator, writer)] == [0.6, 0.6, 0.6]
    assert writer.robust
    founder.configure(robust=False)
    exchange()
    assert [store.get(note.id).confidence for store in (founder, validator, writer)] == [1.0, 1.0, 1.0]
    assert all(store.verify().problems == () for store in (founder, validator, writer))
