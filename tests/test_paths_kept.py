"""Answers of paths in the ghost: bounded, judged by their own age, and gone for good when they are dropped."""

import json
from datetime import timedelta

import pytest

from chrysalis_memory.ghost import GhostCache, Staleness
from chrysalis_memory.ghost.limits import NAME_CHARACTERS_MAX
from chrysalis_memory.paths import kept
from chrysalis_memory.paths.kept import Answers
from ghost_cases import NOON, Hands


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def ghost(tmp_path, hands):
    return GhostCache(tmp_path, base_threshold=3600, now=hands)


@pytest.fixture
def answers(ghost):
    return Answers(ghost, "ada")


def told(reading):
    return None if reading is None else reading.data["is"]


def test_an_answer_is_found_under_its_key_with_its_own_age(answers, hands):
    answers.keep("a.b", "first", None, hands())
    hands.go(minutes=90)
    answers.keep("a.b", "second", [1], hands())
    first, second = answers.find("first"), answers.find("second")
    assert (first.data, first.level) == ({"is": None}, Staleness.STALE)
    assert (second.data, second.level) == ({"is": [1]}, Staleness.FRESH)
    assert answers.find("third") is None


def test_the_newest_answer_of_a_path_is_found(answers, hands):
    assert answers.newest("a.b") is None
    for number in range(3):
        answers.keep("a.b", f"key {number}", number, hands())
        answers.keep("a.c", f"other {number}", "other", hands())
        hands.go(seconds=1)
    assert told(answers.newest("a.b")) == 2


def test_the_oldest_answers_make_room_and_the_refused_ones_go(answers, ghost, hands, monkeypatch):
    monkeypatch.setattr(kept, "ANSWERS_MAX", 3)
    for number in range(5):
        hands.go(seconds=1)
        answers.keep("a.b", str(number), number, hands())
    assert [told(answers.find(str(number))) for number in range(5)] == [None, None, 2, 3, 4]
    hands.go(hours=3)
    answers.keep("a.b", "new", "new", hands())
    (name,) = [one.agent for one in ghost.agents()]
    assert list(ghost.read_agent(name).data["answers"]) == ["new"]
    assert ghost.read_agent(name).text == "1 answer of a.b"


def test_answers_have_bounds_in_bytes(answers, hands, monkeypatch):
    monkeypatch.setattr(kept, "ANSWERS_BYTES_MAX", 250)
    for number in range(4):
        hands.go(seconds=1)
        answers.keep("a.b", str(number), "x" * 98, hands())
    assert [answers.find(str(number)) is None for number in range(4)] == [True, True, False, False]
    with pytest.raises(ValueError, match="at most 1048576 are kept"):
        answers.keep("a.b", "large", "x" * kept.ANSWER_BYTES_MAX, hands())
    with pytest.raises(ValueError, match="arguments are too long"):
        answers.keep("a.b", "k" * 5000, 1, hands())
    with pytest.raises(ValueError, match="not JSON compliant"):
        answers.keep("a.b", "nan", float("nan"), hands())


def test_as_much_as_is_kept_always_fits_one_file(answers, ghost, hands):
    large = "é" * (kept.ANSWER_BYTES_MAX // 6 - 10)
    for number in range(kept.ANSWERS_MAX):
        answers.keep("a.b", f"{number}" + "k" * 4000, large if number < 3 else 1, hands() + timedelta(seconds=number))
    assert told(answers.find("0" + "k" * 4000)) == large
    assert list(ghost.problems) == []


def test_dropping_takes_an_answer_from_every_agent(ghost, hands):
    for agent in ("ada", "bo", "Cy"):
        Answers(ghost, agent).keep("a.b", "secret", f"known to {agent}", hands())
        Answers(ghost, agent).keep("a.b", "other", "stays", hands())
    ghost.write_agent("ada", "her own state")
    Answers(ghost, "bo").drop("secret")
    assert all(Answers(ghost, agent).find("secret") is None for agent in ("ada", "bo", "Cy"))
    assert told(Answers(ghost, "Cy").find("other")) == "stays"
    assert ghost.read_agent("ada").data == "her own state"
    assert "known to" not in "".join(file.read_text() for file in ghost.path.rglob("*.json"))


def test_dropping_what_is_not_there_writes_nothing(ghost, answers, hands):
    answers.keep("a.b", "key", 1, hands())
    hands.go(minutes=30)
    answers.drop("other")
    assert ghost.agents()[0].written_at == NOON


def test_answers_of_anyone_are_the_newest_that_may_be_shown(ghost, hands):
    Answers(ghost, "ada").keep("a.b", "key", "older", hands())
    hands.go(minutes=30)
    Answers(ghost, "bo").keep("a.b", "key", "newer", hands())
    assert told(Answers(ghost, "cy").find("key")) is None
    assert told(Answers(ghost, "cy").find("key", of_anyone=True)) == "newer"
    assert Answers(ghost, "cy").find("nothing", of_anyone=True) is None
    hands.go(hours=5)
    assert Answers(ghost, "cy").find("key", of_anyone=True).level is Staleness.REFUSE


@pytest.mark.parametrize(
    "entry",
    [7, {}, {"path": 1}, {"path": "a.b", "at": "never", "bytes": 1, "answer": 1}, {"path": "a.b", "bytes": "x"}],
)
def test_what_is_no_answer_is_passed_over(ghost, answers, hands, entry):
    answers.keep("a.b", "good", 1, hands())
    (name,) = [one.agent for one in ghost.agents()]
    ghost.change_agent(name, lambda state: {**state, "answers": {**state["answers"], "bad": entry}})
    assert answers.find("bad") is None
    assert told(answers.newest("a.b")) == 1
    ghost.write_agent(name, "another program's")
    assert answers.find("good") is None
    answers.keep("a.b", "good", 2, hands())
    assert told(answers.find("good")) == 2


def test_the_longest_name_of_an_agent_is_long_enough(ghost, hands):
    answers = Answers(ghost, "x" * NAME_CHARACTERS_MAX)
    answers.keep("a.b", "key", 1, hands())
    assert told(answers.find("key")) == 1
    assert json.loads(json.dumps(ghost.overview().to_dict()))["entries"]
