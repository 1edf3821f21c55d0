"""The speed of recall is measured end to end, on vectors with structure; how fast it is is not looked at here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.speed.contents import records
from benchmarks.speed.figures import quantiles, timed
from benchmarks.speed.sentences import sentences

ROOT = Path(__file__).parent.parent


def test_quantiles_are_those_of_the_calls():
    assert quantiles([number / 100 for number in range(100)]) == {"p50": 0.495, "p95": 0.95, "p99": 0.99}
    assert quantiles([2.0]) == {"p50": 2.0, "p95": 2.0, "p99": 2.0}


def test_questions_are_asked_in_turn():
    asked = []
    assert len(timed(asked.append, ["a", "b"], 3)) == 3
    assert asked == ["a", "b", "a", "b", "a"]


def test_sentences_are_real_and_always_the_same():
    found = sentences(50)
    assert found == sentences(50)
    assert len(set(found)) == 50
    assert all(5 <= len(sentence.split()) <= 60 for sentence in found)


def test_records_go_on_where_the_last_ones_ended():
    made = [*records(0, 40), *records(40, 5)]
    assert [record["id"] for record in made] == [f"m-{number:08}" for number in range(45)]
    assert {record["thread"] for record in made} == {"thread-000000", "thread-000001"}
    assert made == [*records(0, 40), *records(40, 5)]


def test_made_up_vectors_keep_near_what_they_were_made_from(tmp_path):
    numpy = pytest.importorskip("numpy")
    from benchmarks.corpus import TopicEmbedder
    from benchmarks.speed.vectors import SentenceVectors, prepare

    real = TopicEmbedder().matrix([f"sentence {number}" for number in range(300)])
    made = prepare(real, tmp_path / "vectors.npz")
    rows = made.matrix(["one text", "another"])
    assert numpy.allclose(numpy.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert (rows @ real.T).max() > 0.8
    again = SentenceVectors(made.path)
    assert numpy.allclose(again.embed(["one text"])[0], rows[0], atol=1e-5)
    again.keep(["question"], rows[1:])
    assert numpy.allclose(again.embed(["question"])[0], rows[1])


def test_a_quick_run_prints_and_writes_every_part(tmp_path):
    pytest.importorskip("numpy")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "benchmarks.recall_speed", "--quick", "--sizes", "500", "--embedder", "none"]
    command += ["--out", str(out), "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    [(size, told)] = json.loads((out / "speed.json").read_text(encoding="utf-8"))["sizes"].items()
    assert size == "500"
    asked = {(row["mode"], row["filter"]) for row in told["recall"]}
    assert asked == {(mode, kind) for mode in ("text", "vector", "hybrid") for kind in ("none", "selective", "broad")}
    assert all(0 < row["p50"] <= row["p95"] <= row["p99"] for row in told["recall"])
    assert {"stages", "lag", "disk", "opening", "filling"} <= set(told)
    assert len(told["lag"]) == 4
    assert told["nearest_found"] > 0.5
    assert "From remembered to recallable" in done.stdout
