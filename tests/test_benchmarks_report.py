"""The page about recall is filled from what was measured, and its pictures are drawn from the same."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.plots import quality, speed
from benchmarks.recall_report import fill

ROOT = Path(__file__).parent.parent
FIGURES = dict.fromkeys(("R@5", "R@10", "R@20", "R@50", "hit@10", "MRR", "nDCG@10", "sR@5", "sR@10"), 0.5)


def system(level, **more):
    figures = dict.fromkeys(FIGURES, level)
    bounds = {name: [level - 0.05, level + 0.05] for name in FIGURES}
    category = {"n": 9, **figures, "interval": [level - 0.1, level + 0.1]}
    told = {"overall": {"n": 9, **figures}, "intervals": bounds, "by_category": {"places": category}}
    return {**told, "search_p50_s": 0.001, "filling_s": 1.0, **more}


DIFFERENCE = {"R@10": {"mean": 0.2, "low": 0.1, "high": 0.3, "better": 1.0}}
SILENCE = {"silent_without_answer": 0.8, "silent_with_answer": 0.1, "answers_lost": 0.05}
QUALITY = {
    "systems": {
        "ours": {"title": "Chrysalis", "note": "", "versions": {"chrysalis-memory": "1"}},
        "fts5": {"title": "FTS5 & words", "note": "", "versions": {}},
        "chroma": {"title": "Chroma", "note": "", "versions": {"chromadb": "not installed"}},
    },
    "collections": {
        "Talks": {
            "shape": {"stores": 2, "memories": 1200, "characters": 80, "questions": 9, "without_answer": 3},
            "systems": {"ours": system(0.8), "fts5": system(0.6, ours_minus_this=DIFFERENCE)},
            "missing": {"chroma": "chromadb is not installed"},
            "nothing": {"with_answer": 9, "without_answer": 3, "told_apart": 0.9, "thresholds": {"strict": SILENCE}},
        }
    },
    "embedder": "some-model",
    "machine": {"measured": "today", "processor": "fast", "Python": "3"},
}

THREE = {"p50": 0.001, "p95": 0.002, "p99": 0.003}


def measured(times):
    named = {name: value * times for name, value in THREE.items()}
    rows = [{"mode": mode, "filter": "none", **named} for mode in ("text", "vector", "hybrid")]
    return {
        "recall": [row | {"beside": "FTS5, all words", "ratio": 0.5} for row in rows],
        "yardsticks": {"FTS5, all words": {name: value * 9 for name, value in named.items()}},
        "stages": {"words alone": 0.001},
        "lag": {"text, this process": THREE},
        "disk": {"chrysalis.db": 900.0, "text.db": 100.0},
        "opening": {"opened_s": 0.002, "first_recall_s": 0.01, "python": {}, "held": {"private": 50 << 20}},
        "filling": {"written": 9000.0, "with_vectors": 5000.0},
        "nearest_found": 0.98,
    }


SPEED = {"vectors": "topics", "sizes": {"10000": measured(1), "100000": measured(2)}, "machine": {"Python": "3"}}


@pytest.fixture
def results(tmp_path):
    (tmp_path / "quality.json").write_text(json.dumps(QUALITY), encoding="utf-8")
    (tmp_path / "speed.json").write_text(json.dumps(SPEED), encoding="utf-8")
    return tmp_path


def test_only_the_named_tables_are_replaced():
    page = "a\n<!-- table: one -->\nold\n<!-- end -->\nb\n<!-- table: two -->\nkept\n<!-- end -->\n"
    expected = page.replace("old", "| new |")
    assert fill(page, {"one": "| new |\n"}) == expected
    assert fill(expected, {"one": "| new |\n"}) == expected


def test_one_command_fills_the_page_and_draws_its_pictures(results, tmp_path):
    page = tmp_path / "docs" / "recall.md"
    page.parent.mkdir()
    page.write_text((ROOT / "docs/recall.md").read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.recall_report", str(results), "--page", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    filled = page.read_text(encoding="utf-8")
    assert "| **Chrysalis** | **.800 (.750\u2013.850)** |" in filled
    assert "| FTS5 & words | +.200 (+.100 to +.300) |" in filled
    assert "| Talks | 3 / 9 | .900 | strict | 80.0% | 10.0% | 5.0% |" in filled
    assert "| 10,000 | text | none | 1 ms | 2 ms | 3 ms | FTS5, all words | 9 ms | 0.50 | 1 ms: yes |" in filled
    assert "| bytes a memory, all files | 1,000 | 1,000 |" in filled
    assert {path.name for path in (page.parent / "images").iterdir()} == {"recall-quality.svg", "recall-speed.svg"}


@pytest.mark.parametrize(("draw", "run"), [(quality.draw, QUALITY), (speed.draw, SPEED)])
def test_pictures_are_whole_and_load_nothing_from_elsewhere(draw, run):
    drawn = draw(run)
    root = ET.fromstring(drawn)
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0]
    assert "prefers-color-scheme: dark" in drawn
    assert "http" not in drawn.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_every_table_of_the_page_is_filled():
    page = (ROOT / "docs/recall.md").read_text(encoding="utf-8")
    assert "-->\n<!-- end -->" not in page
