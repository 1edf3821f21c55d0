"""What survives compression is measured as docs/context.md defines it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.plots import survival as plot
from benchmarks.quality.collection import Collection, Conversation, Item, Question
from benchmarks.quality.loading import load
from benchmarks.survival.measure import BUDGETS, MEASURES, measure, speakers_of_evidence
from benchmarks.survival.ways import WAYS, window_of

ROOT = Path(__file__).parent.parent

ITEMS = (
    Item("a", "user: The kiln stands at Tomasz's workshop."),
    Item("b", "assistant: The workshop it is, then."),
    Item("c", "Ada: It reaches 1240 degrees."),
)
QUESTIONS = (
    Question("1", "Where is the kiln?", ("a", "c"), "place", answer="At the workshop of Tomasz"),
    Question("2", "How hot?", ("c",), "heat", answer="It is very hot"),
    Question("3", "Who won?", (), "none"),
    Question("4", "Whose?", ("a",), "whose", main=False),
)
COLLECTION = Collection("own", (Conversation("one", ITEMS, QUESTIONS),))


def survived(kept):
    found = measure(COLLECTION, {"way": [lambda *_: kept]})["way"][0.5]
    return {name: getattr(found, name) for name in MEASURES}


def test_a_window_has_people_as_users_under_their_names():
    window = window_of(item.text for item in ITEMS)
    assert [(turn.role, turn.name) for turn in window] == [("user", None), ("assistant", None), ("user", "Ada")]
    assert window.turns[2].content == "It reaches 1240 degrees."


def test_everything_survives_where_everything_is_kept():
    kept = {position: item.text.partition(": ")[2] for position, item in enumerate(ITEMS)}
    assert survived(kept) == {"answer": [1.0], "words": [1.0, 1.0], "verbatim": [1.0, 1.0]}


def test_nothing_survives_where_nothing_is_kept():
    assert survived({}) == {"answer": [0.0], "words": [0.0, 0.0], "verbatim": [0.0, 0.0]}


def test_words_count_in_their_turn_and_answers_in_any_turn_of_the_evidence():
    # Of kiln, stands, tomasz, workshop two are left; "workshop" elsewhere is no evidence; question 2 lost nothing.
    found = survived({0: "… stands at Tomasz …", 1: "The workshop it is, then.", 2: "It reaches 1240 degrees."})
    assert found["answer"] == [0.5]
    assert found["verbatim"] == [0.5, 1.0]
    assert found["words"][1] == 1.0
    assert 0.5 < found["words"][0] < 1.0


def test_of_several_draws_the_mean_counts():
    ways = {"way": [lambda *_: {}, lambda *_: {2: "It reaches 1240 degrees."}]}
    assert measure(COLLECTION, ways)["way"][0.5].verbatim == [0.25, 0.5]


@pytest.mark.parametrize("name", WAYS)
def test_every_way_keeps_to_its_budget(name):
    window = window_of(f"{'user' if number % 2 else 'assistant'}: word{number} and more words." for number in range(40))
    for way in WAYS[name]:
        for budget in (1, 30, 200, window.tokens()):
            kept = way(window, budget)
            assert sum(turn.tokens() for turn in window if turn.position in kept) <= budget
        assert sum(map(bool, way(window, 200).values())) > 5


def test_who_said_the_evidence_is_told_of_questions_that_count():
    assert list(speakers_of_evidence(COLLECTION)) == ["user", "Ada", "Ada"]


def test_answers_are_read_from_both_collections(tmp_path):
    chat = tmp_path / "beam" / "1"
    chat.mkdir(parents=True)
    message = {"id": 0, "role": "user", "content": "I fire at cone 6."}
    (chat / "chat.json").write_text(json.dumps([{"batch_number": 1, "turns": [[message]]}]))
    asked = {"question": "Which cone?", "ideal_answer": "Cone 6", "source_chat_ids": [0]}
    (chat / "probing_questions.json").write_text(json.dumps({"extraction": [asked]}))
    assert load(tmp_path / "beam").conversations[0].questions[0].answer == "Cone 6"
    turn = {"dia_id": "D1:1", "speaker": "Ada", "text": "I fire at cone 6."}
    question = {"question": "Which cone?", "answer": 6, "evidence": ["D1:1"], "category": 4}
    sample = {"sample_id": "s", "conversation": {"session_1": [turn]}, "qa": [question]}
    (tmp_path / "locomo.json").write_text(json.dumps([sample]))
    assert load(tmp_path / "locomo.json").conversations[0].questions[0].answer == "6"


def test_the_picture_has_a_line_for_every_way_of_every_collection():
    found = measure(COLLECTION, WAYS)
    picture = plot.draw({"own": found, "another": found})
    assert picture.count("<polyline") == 2 * len(WAYS)
    assert all(f">{name}</text>" in picture for name in [*WAYS, "own", "another"])
    assert [picture.count(f">{budget:.0%}</text>") for budget in BUDGETS] == [0, 2, 4, 4, 4]


def test_a_run_prints_a_table_for_each_collection(tmp_path):
    memories = "".join(json.dumps({"id": item.id, "text": item.text}) + "\n" for item in ITEMS)
    (tmp_path / "memories.jsonl").write_text(memories)
    (tmp_path / "questions.jsonl").write_text(
        json.dumps({"question": "How hot?", "relevant": ["c"], "answer": "1240"}) + "\n"
    )
    command = [sys.executable, "-m", "benchmarks.context_survival", "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| the projector |") == 1
