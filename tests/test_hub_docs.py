"""The guide to the hub is true: its lines run, and its table has every setting and every endpoint."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from chrysalis_memory.hub.http.application import ENDPOINTS
from chrysalis_memory.hub.settings import HubSettings
from hub_process import environment

GUIDE = Path(__file__).parent.parent / "docs" / "hub.md"


def lines():
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="the lines are for bash and curl")
def test_every_documented_line_runs(tmp_path):
    program = '"$PYTHON" -m chrysalis_memory.cli'
    # What runs in the background is the program itself and no function of the shell, so that `kill` reaches it.
    told = [line.replace("chrysalis hub", f"exec {program} hub") if line.endswith("&") else line for line in lines()]
    functions = [f'chrysalis() {{ {program} "$@"; }}', 'python3() { "$PYTHON" "$@"; }']
    cleaning = "trap 'kill -9 $HUB 2> trap.log || true' EXIT"
    script = "\n".join(["set -euo pipefail", *functions, *told[:2], cleaning, *told[2:], "trap - EXIT"])
    out, errors = tmp_path / "out", tmp_path / "errors"
    # Into files: a hub that outlives its shell must not keep the test waiting at a pipe.
    with out.open("w") as said, errors.open("w") as complained:
        done = subprocess.run(
            ["bash", "-x", "-c", script],
            cwd=tmp_path,
            env=environment(PYTHON=sys.executable),
            stdout=said,
            stderr=complained,
            check=False,
            timeout=200,
        )
    assert done.returncode == 0, errors.read_text()[-3000:]
    assert '"status":"well"' in out.read_text()
    assert "chrysalis_hub_links 0" in out.read_text()
    assert len(lines()) > 15


def test_every_setting_stands_there_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE))
    assert rows == {setting.name: str(setting.default) for setting in fields(HubSettings)}


def test_every_endpoint_stands_there():
    text = GUIDE.read_text("utf-8")
    assert [endpoint.path for endpoint in ENDPOINTS if endpoint.path not in text] == []
