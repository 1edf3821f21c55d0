"""The examples run, each as a program of its own."""

import subprocess
import sys
from pathlib import Path

from hub_process import environment

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(), check=False)


def test_two_agents_and_a_hub_one_learns_and_the_other_recalls_within_two_seconds():
    done = run("two_agents_hub.py")
    assert done.returncode == 0, done.stderr
    assert "The kiln reaches 1240 degrees" in done.stdout
    assert "said by ada, and bob checked the signature: True" in done.stdout
