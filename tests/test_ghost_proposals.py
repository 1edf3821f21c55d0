"""Proposals: they wait, and are accepted once, or rejected with a reason."""

import json

import pytest

from chrysalis_memory.errors import NotFound, TooLarge
from chrysalis_memory.ghost import GhostCache
from chrysalis_memory.ghost.limits import PROPOSALS_MAX
from chrysalis_memory.ghost.proposals import REJECTED, Proposal
from ghost_cases import NOON, Hands


@pytest.fixture
def ghost(tmp_path):
    return GhostCache(tmp_path, now=Hands())


def texts(proposals):
    return [one.text for one in proposals]


def test_a_proposal_waits_until_it_is_decided(ghost, tmp_path):
    made = ghost.proposals.propose("merge the two threads", agent="ada", details={"threads": [1, 2]})
    again = GhostCache(tmp_path).proposals.pending()
    assert again == [made]
    assert (made.agent, made.at, made.details) == ("ada", NOON, {"threads": [1, 2]})


def test_who_accepts_gets_it_and_nobody_else_does(ghost):
    one, two = ghost.proposals.propose("one"), ghost.proposals.propose("two")
    assert ghost.proposals.accept(one.id) == one
    assert ghost.proposals.pending() == [two]
    with pytest.raises(NotFound, match="no proposal"):
        ghost.proposals.accept(one.id)
    assert ghost.proposals.rejected() == []


def test_a_rejected_one_is_kept_with_the_reason(ghost):
    made = ghost.proposals.propose("sail at noon")
    ghost.proposals.reject(made.id, "the tide is out", agent="bo")
    assert ghost.proposals.pending() == []
    (kept,) = ghost.proposals.rejected()
    assert (kept.text, kept.reason, kept.rejected_by, kept.rejected_at) == (
        "sail at noon",
        "the tide is out",
        "bo",
        NOON,
    )
    with pytest.raises(NotFound):
        ghost.proposals.reject(made.id, "twice")
    with pytest.raises(NotFound):
        ghost.proposals.accept(made.id)


def test_one_that_a_process_rejected_while_it_was_killed_is_rejected(ghost, tmp_path):
    made = ghost.proposals.propose("sail at noon")
    before = (tmp_path / "proposals/pending.json").read_bytes()
    ghost.proposals.reject(made.id, "the tide is out")
    (tmp_path / "proposals/pending.json").write_bytes(before)
    assert ghost.proposals.pending() == []
    assert texts(ghost.proposals.rejected()) == ["sail at noon"]


def test_too_many_wait_no_longer_and_the_oldest_rejected_ones_make_room(ghost, monkeypatch):
    monkeypatch.setattr("chrysalis_memory.ghost.proposals.PROPOSALS_MAX", 5)
    ids = [ghost.proposals.propose(f"number {number}").id for number in range(5)]
    with pytest.raises(TooLarge, match="wait already"):
        ghost.proposals.propose("one more")
    for one in ids:
        ghost.proposals.reject(one, "no")
    last = ghost.proposals.propose("one more")
    ghost.proposals.reject(last.id, "no")
    rejected = texts(ghost.proposals.rejected())
    assert len(rejected) == 5
    assert (rejected[0], rejected[-1]) == ("number 1", "one more")


def test_as_much_as_is_allowed_always_fits(ghost):
    words, name, details = "\ud800" * 1000, "\ud800" * 256, {"x": "x" * 1900}
    most = [Proposal(f"{number:016}", words, name, NOON, details, words, name, NOON) for number in range(PROPOSALS_MAX)]
    ghost.proposals._store(REJECTED, most, NOON)
    assert ghost.proposals.rejected() == most


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ({"text": ""}, ValueError),
        ({"text": "x" * 1001}, ValueError),
        ({"text": None}, TypeError),
        ({"text": "x", "details": []}, TypeError),
        ({"text": "x", "details": {"x": object()}}, ValueError),
        ({"text": "x", "details": {"x": "x" * 3000}}, ValueError),
    ],
)
def test_arguments_are_checked(ghost, named, error):
    with pytest.raises(error):
        ghost.proposals.propose(**named)


@pytest.mark.parametrize("data", [None, {}, {"proposals": [1]}, {"proposals": [{"id": "x"}]}, {"proposals": 3}])
def test_a_list_of_another_shape_is_set_aside(ghost, tmp_path, data):
    (tmp_path / "proposals").mkdir()
    (tmp_path / "proposals/pending.json").write_text(
        json.dumps({"ghost": 1, "written_at": "2026-03-01T12:00:00Z", "data": data})
    )
    assert ghost.proposals.pending() == []
    assert [one.set_aside_as for one in ghost.problems] == ["proposals/pending.json.set-aside-1"]
    assert ghost.proposals.propose("anew").text == "anew"
