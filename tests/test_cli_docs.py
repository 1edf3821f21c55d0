"""The documents and the help show commands that exist and work."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from chrysalis_memory.cli.app import build_app

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "cli.md"


def commands(group, prefix=""):
    found = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None or command.invoke_without_command:
            found[f"{prefix}{name}"] = command
        found |= {} if inner is None else commands(command, f"{prefix}{name} ")
    return found


COMMANDS = commands(typer.main.get_command(build_app()))

PROMISED = {"remember", "recall", "show", "list", "update", "forget", "history", "graph", "import", "export"} | {
    "sync",
    "peers",
    "verify",
    "stats",
    "doctor",
    "encrypt",
    "rebuild",
    "demo",
    "bench",
    "simulate",
    "found",
    "invite",
    "revoke",
    "join",
    "members",
    "remove",
    "attest",
    "validate",
    "models list",
    "models install",
    "models use",
    "models test",
    "models drop",
    "hub",
    "hub token",
    "hub tokens",
    "hub take-back",
    "audit",
    *(f"context {name}" for name in "save resume list show branch cherish compost tree".split()),
    "ghost status",
    "ghost show",
    "ghost clear",
}


def test_the_commands_are_the_promised_ones():
    assert set(COMMANDS) == PROMISED


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_every_command_is_documented(name):
    assert re.search(rf"chrysalis {name}\b", GUIDE.read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_every_command_explains_itself_with_examples(name):
    told = COMMANDS[name].help
    assert "[bold]Examples[/bold]" in told
    assert re.search(rf"chrysalis {name}\b", told)
    assert all(option.help for option in COMMANDS[name].params)
    assert any("--json" in option.opts for option in COMMANDS[name].params)


def documented_lines():
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def test_every_documented_line_runs(tmp_path):
    script = "\n".join(
        ["set -euo pipefail", 'chrysalis() { "$PYTHON" -m chrysalis_memory.cli "$@"; }', *documented_lines()]
    )
    places = {"CHRYSALIS_STORE": str(tmp_path / "store"), "CHRYSALIS_GHOST": str(tmp_path / "ghost")}
    environment = {**os.environ, **places, "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", "-x", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(documented_lines()) > 25
