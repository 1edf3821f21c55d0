"""import and export from the command line."""

import json
import subprocess
import sys

import pytest

from importing_cases import write


def test_imported_twice_is_imported_once(chrysalis, tmp_path):
    notes = write(tmp_path, "notes/a.md", "# One\nfirst\n# Two\nsecond\n").parent
    first = chrysalis("import", str(notes), "--json")
    assert (first.code, first.json) == (0, {"read": 2, "added": 2, "unchanged": 0, "failed": []})
    assert chrysalis("import", str(notes), "--json").json == {"read": 2, "added": 0, "unchanged": 2, "failed": []}
    assert len(chrysalis("list").rows) == 2


def test_a_bad_record_is_named_and_the_rest_goes_on(chrysalis, tmp_path):
    path = write(tmp_path, "a.jsonl", '{"content": "good"}\n{bad\n{"content": "also good"}\n')
    report = chrysalis("import", str(path))
    assert report.code == 1
    assert report.rows[:3] == [["read", "3"], ["added", "2"], ["unchanged", "0"]]
    assert report.rows[3][:2] == ["failed", f"{path}:2"]
    assert "2 already there" in chrysalis("import", str(path), terminal=True).out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("c.json", [{"conversation_id": "c", "mapping": {"a": {"message": None}}}], None),
        ("d.json", [{"uuid": "u", "chat_messages": [{"uuid": "m", "sender": "human", "text": "hello"}]}], "hello"),
        ("m.json", {"results": [{"id": 1, "memory": "likes tea", "user_id": "ines"}]}, "likes tea"),
        ("g.json", {"type": "entity", "name": "Ines", "entityType": "person", "observations": []}, "Ines"),
    ],
)
def test_formats_are_told_by_content(chrysalis, tmp_path, name, content, words):
    assert chrysalis("import", str(write(tmp_path, name, content))).code == 0
    if words:
        assert words in chrysalis("list").out


def test_a_missing_file_is_named(chrysalis, tmp_path):
    report = chrysalis("import", str(tmp_path / "none.json"))
    assert report.code == 1
    assert "No such file" in report.out


def test_an_unknown_format_is_misuse(chrysalis, tmp_path):
    assert chrysalis("import", str(write(tmp_path, "a.txt", "x")), "--format", "word").code == 2


def test_a_list_of_json_lines_comes_back_as_it_was(harbour, tmp_path, monkeypatch):
    lines = harbour("list", "--limit", "100", "--jsonl").out
    before = {item["id"]: item for item in map(json.loads, lines.splitlines())}
    monkeypatch.setenv("CHRYSALIS_STORE", str(tmp_path / "other"))
    assert harbour("import", "-", "--json", stdin=lines).json["added"] == 59
    after = harbour("list", "--limit", "100", "--json").json
    same = ("content", "tags", "speaker", "thread", "occurred_at", "parents", "related", "metadata", "memory_type")
    for item in after:
        assert {key: item[key] for key in same} == {key: before[item["id"]][key] for key in same}


def test_a_bundle_carries_everything_to_another_store(harbour, tmp_path):
    bundle = tmp_path / "backup.bundle"
    harbour("update", "first-date", "Live on 18 May")
    assert harbour("export", str(bundle)).rows == [[str(bundle), str(bundle.stat().st_size)]]
    other = str(tmp_path / "other")
    assert harbour("import", str(bundle), "--store", other).code == 0
    assert harbour("show", "first-date", "--json", "--store", other).json["content"] == "Live on 18 May"
    assert harbour("verify", "--store", other).code == 0
    assert len(harbour("history", "first-date", "--json", "--store", other).json) == 2


def test_a_bundle_goes_through_a_pipe(harbour, tmp_path):
    run = [sys.executable, "-m", "chrysalis_memory.cli"]
    out = subprocess.run([*run, "export", "-", "--store", str(harbour.store)], capture_output=True, check=True)
    other = str(tmp_path / "other")
    done = subprocess.run([*run, "import", "-", "--store", other], input=out.stdout, capture_output=True, check=True)
    assert b"failed" not in done.stdout
    assert len(harbour("list", "--limit", "100", "--store", other).rows) == 59
