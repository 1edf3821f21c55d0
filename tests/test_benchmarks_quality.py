"""Recall quality is measured as it is defined, over every format that is promised."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.quality.adapter import Adapter
from benchmarks.quality.collection import Question
from benchmarks.quality.loading import load
from benchmarks.quality.metrics import FIGURES, score
from benchmarks.quality.words import Stopped, Words

ROOT = Path(__file__).parent.parent

MEMORIES = [
    {"id": "a", "text": "the kiln is at the potter's", "thread": "monday", "speaker": "Ada"},
    {"id": "b", "text": "glaze needs a week to arrive", "thread": "monday", "occurred_at": "2026-03-02T10:00"},
    {"id": "c", "text": "bread is baked on Fridays", "thread": "friday", "tags": ["food"]},
]
QUESTIONS = [
    {"question": "where is the kiln", "relevant": ["a"], "category": "place"},
    {"question": "bread and glaze", "relevant": ["b", "c"], "category": "things"},
    {"question": "who won the race", "relevant": []},
]


def asking(text):
    return Question("q", text, (), "all")


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "memories.jsonl").write_text(lines(MEMORIES), encoding="utf-8")
    (folder / "questions.jsonl").write_text(lines(QUESTIONS), encoding="utf-8")
    return folder


# The figures.


def test_each_figure_is_as_it_is_defined():
    ranked = ["x", "a", "y", "b", *(f"z{number}" for number in range(10)), "c"]
    threads = {"a": 1, "b": 1, "c": 2, "x": 3, "y": 4}
    found = score(ranked, ["a", "b", "c"], threads)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    expected = {"R@5": 2 / 3, "R@10": 2 / 3, "R@20": 1, "R@50": 1, "hit@10": 1, "MRR": 1 / 2, "nDCG@10": gained / ideal}
    assert found == pytest.approx(expected | {"sR@5": 1, "sR@10": 1})
    assert list(found) == list(FIGURES)


def test_a_memory_that_is_given_twice_counts_once():
    assert score(["a", "a", "b"], ["a", "b"], {"a": 1, "b": 2})["R@5"] == 1
    assert score(["a", "a"], ["a", "b"], {"a": 1, "b": 2})["R@5"] == 0.5


def test_nothing_found_is_nothing():
    assert set(score([], ["a"], {"a": 1}).values()) == {0}


def test_intervals_hold_the_mean_and_differences_have_a_sign():
    pytest.importorskip("numpy")
    from benchmarks.quality.intervals import difference, interval

    low, high = interval([0.0, 1.0] * 50)
    assert 0.3 < low < 0.5 < high < 0.7
    assert interval([1.0] * 9) == (1.0, 1.0)
    better = difference([1.0, 0.9, 0.8], [0.5, 0.5, 0.5])
    assert better.mean == pytest.approx(0.4)
    assert better.low > 0
    assert better.better == 1


# The formats.


def test_a_folder_of_own_questions_is_read(own):
    [conversation] = load(own).conversations
    first, second, third = conversation.items
    assert (first.id, first.thread, first.speaker) == ("a", "monday", "Ada")
    assert (second.occurred_at, third.more) == ("2026-03-02T10:00", {"tags": ["food"]})
    place, _, nobody = conversation.questions
    assert (place.relevant, place.category, place.main, place.answerable) == (("a",), "place", True, True)
    assert (nobody.relevant, nobody.main, nobody.answerable) == ((), False, False)


@pytest.mark.parametrize(
    ("file", "line", "what"),
    [
        ("questions.jsonl", '{"question": "who", "relevant": ["nobody"]}', "nobody"),
        ("questions.jsonl", '{"relevant": ["a"]}', "line 4"),
        ("memories.jsonl", "{", "line 4"),
        ("memories.jsonl", '{"text": " "}', "line 4"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(own, file, line, what):
    path = own / file
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=what):
        load(own)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"memories\.jsonl"):
        load(tmp_path)


def spoken(speaker, id, text, **more):
    return {"speaker": speaker, "dia_id": id, "text": text, **more}


def test_locomo_is_read_with_the_slips_in_its_evidence(tmp_path):
    first = [spoken("Ada", f"D1:{turn}", "words") for turn in range(1, 6)]
    sample = {
        "sample_id": "s",
        "conversation": {
            "session_1": first,
            "session_1_date_time": "1:56 pm on 8 May, 2026",
            "session_10": [spoken("Bo", "D10:1", "later", blip_caption=["a kiln", ""])],
            "session_10_date_time": "some day",
        },
        "qa": [
            {"question": "one", "evidence": ["D1:02; D:10:1", "D1:2"], "category": 1},
            {"question": "span", "evidence": ["D1:3-D1:5", "D7:1", "none"], "category": 4},
            {"question": "trap", "evidence": ["D1:1"], "category": 5},
        ],
    }
    path = tmp_path / "talks.json"
    path.write_text(json.dumps([sample]), encoding="utf-8")
    [conversation] = load(path).conversations
    assert [item.id for item in conversation.items] == ["D1:1", "D1:2", "D1:3", "D1:4", "D1:5", "D10:1"]
    assert (conversation.items[0].text, conversation.items[0].thread) == ("Ada: words", "s/1")
    assert conversation.items[0].occurred_at == "2026-05-08T13:56"
    assert (conversation.items[5].text, conversation.items[5].occurred_at) == ("Bo: later [image: a kiln]", None)
    one, span, trap = conversation.questions
    assert (one.relevant, one.category) == (("D1:2", "D10:1"), "multi-hop")
    assert span.relevant == ("D1:3", "D1:4", "D1:5")
    assert (trap.main, trap.answerable, trap.relevant) == (False, False, ("D1:1",))


def test_beam_is_read_with_its_dates_and_without_its_references(tmp_path):
    chat = tmp_path / "chats" / "3"
    chat.mkdir(parents=True)
    turns = [
        [
            {"id": 0, "role": "user", "content": "hello ->-> 1,2", "time_anchor": "March-15-2026"},
            {"id": 1, "role": "assistant", "content": "good day"},
        ]
    ]
    later = [[{"id": 2, "role": "user", "content": "again"}]]
    batches = [{"batch_number": 1, "turns": turns}, {"batch_number": 2, "turns": later}]
    (chat / "chat.json").write_text(json.dumps(batches), encoding="utf-8")
    asked = {
        "abstention": [{"question": "nothing?"}],
        "knowledge_update": [{"question": "which?", "source_chat_ids": {"old": [0, 9], "new": [2, 0]}}],
    }
    (chat / "probing_questions.json").write_text(json.dumps(asked), encoding="utf-8")
    [conversation] = load(tmp_path / "chats").conversations
    assert [item.text for item in conversation.items] == ["user: hello", "assistant: good day", "user: again"]
    dates = [item.occurred_at for item in conversation.items]
    assert dates == ["2026-03-15T00:00", "2026-03-15T00:00", None]
    nothing, update = conversation.questions
    assert (nothing.main, nothing.answerable, nothing.relevant) == (False, False, ())
    assert (update.main, update.relevant, update.category) == (True, ("0", "2"), "knowledge_update")


def test_pooling_keeps_conversations_apart_by_name(tmp_path):
    memories = [{"id": "1", "text": "one", "conversation": name} for name in ("left", "right")]
    asked = [{"question": "one?", "relevant": ["1"], "conversation": name} for name in ("left", "right")]
    (tmp_path / "memories.jsonl").write_text(lines(memories), encoding="utf-8")
    (tmp_path / "questions.jsonl").write_text(lines(asked), encoding="utf-8")
    [pooled] = load(tmp_path).pooled().conversations
    assert [item.id for item in pooled.items] == ["left/1", "right/1"]
    assert [question.relevant for question in pooled.questions] == [("left/1",), ("right/1",)]


# The systems.


@pytest.mark.parametrize("kind", [Words, Stopped])
def test_words_find_by_any_word_and_take_any_question(kind, own, tmp_path):
    system = kind(tmp_path, None)
    system.add_many(load(own).conversations[0].items)
    assert system.search(asking("Where's the kiln?"), 10)[0] == "a"
    assert system.search(asking('" OR NEAR( -'), 10) == []
    system.close()


def test_the_adapter_serves_other_harnesses():
    adapter = Adapter(embedder="none")
    adapter.warm()
    about = {"conversation": "one", "session": 2, "session_date": "2026-03-02T10:00", "speaker": "Ada", "turn": 0}
    adapter.add("D2:1", "Ada: the kiln is at the potter's", about)
    adapter.add_many([("D2:2", "Bo: bread is baked on Fridays", {**about, "session_date": "some day"})])
    adapter.flush()
    assert adapter.search("when is bread baked", 5)[0] == "D2:2"
    assert adapter.search("where is the kiln", 5)[0] == "D2:1"
    assert adapter.embed_seconds == 0
    adapter.close()


def test_a_run_prints_and_writes_every_figure(own, tmp_path):
    pytest.importorskip("numpy")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "benchmarks.recall_quality", "--data", str(own), "--out", str(out)]
    command += ["--embedder", "none", "--systems", "ours,fts5,vectors", "--pooled"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "needs an embedder" in done.stdout
    [(name, told)] = json.loads((out / "quality.json").read_text(encoding="utf-8"))["collections"].items()
    assert name == "own"
    assert told["systems"]["ours"]["overall"]["R@10"] == 1
    assert set(told["systems"]["fts5"]["by_category"]) == {"place", "things"}
    assert told["nothing"]["without_answer"] == 1
    rows = (out / "quality-questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 4
    again = [*command[:-1], "--reuse", str(out), "--systems", "ours,fts5"]
    done = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "own: fts5" not in done.stderr
    assert (out / "quality-questions.jsonl").read_text(encoding="utf-8").splitlines()[2:] == rows[2:]


def test_embeddings_are_kept_for_the_next_run_of_the_same_model(tmp_path):
    pytest.importorskip("numpy")
    from benchmarks.quality.embeddings import SharedEmbedder

    class Counting:
        def __init__(self, name):
            self.name, self.asked = name, []

        def embed(self, texts):
            self.asked.extend(texts)
            return [[float(len(text)), 1.0] for text in texts]

    file = tmp_path / "kept.npz"
    first = SharedEmbedder(Counting("one"), file)
    assert first.embed(["a", "bcd", "a"]) == [[1.0, 1.0], [3.0, 1.0], [1.0, 1.0]]
    first.save()
    same, other = Counting("one"), Counting("two")
    assert SharedEmbedder(same, file).embed(["bcd"]) == [[3.0, 1.0]]
    assert SharedEmbedder(other, file).embed(["bcd"]) == [[3.0, 1.0]]
    assert (same.asked, other.asked) == ([], ["bcd"])
