"""The benchmarks run from end to end; what they find is not looked at here."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_quick_run_prints_and_writes_one_table(tmp_path):
    out = tmp_path / "table"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--quick",
        "--only",
        "get",
        "--out",
        str(out),
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "get by id" in done.stdout
    assert "| get by id |" in out.with_suffix(".md").read_text(encoding="utf-8")
    [row] = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))["rows"]
    assert row["what"] == "get by id"
    assert 0 < row["ours"]["value"] < 1
    assert row["ratio"] > 0
