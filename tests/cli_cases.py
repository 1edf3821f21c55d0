"""What the tests of the command line share: running a command in this process on a store of its own."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


class CommandLine:
    """Call it with arguments; it answers with exit code and output. `terminal=True` prints as for people."""

    def __init__(self, store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = store
        self.ghost = store.with_name("ghost")
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("CHRYSALIS_STORE", str(store))
        monkeypatch.setenv("CHRYSALIS_GHOST", str(store.with_name("ghost")))
        # Answers must not depend on what is installed on the machine that runs the tests.
        monkeypatch.setenv("CHRYSALIS_EMBEDDER", "none")
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("TERM", "dumb")

    def __call__(self, *arguments: str, stdin: str | bytes | None = None, terminal: bool = False) -> Outcome:
        self._monkeypatch.setenv("TTY_COMPATIBLE", "1" if terminal else "0")
        self._monkeypatch.setattr(sys, "stdin", _stream(stdin))
        code = _run(arguments)
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)


def _run(arguments: tuple[str, ...]) -> int:
    # Imported here, so that tests of other parts do not need the command line to be whole.
    from chrysalis_memory.cli.app import build_app
    from chrysalis_memory.cli.failures import run
    from chrysalis_memory.cli.output import console

    console.cache_clear()
    return run(build_app(), list(arguments))


def _stream(text: str | bytes | None) -> io.TextIOWrapper:
    data = text.encode() if isinstance(text, str) else text or b""
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")


@pytest.fixture
def chrysalis(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line on an empty store."""
    return CommandLine(tmp_path / "store", capsys, monkeypatch)


@pytest.fixture
def harbour(chrysalis: CommandLine) -> CommandLine:
    """The command line on a store that holds the demonstration's memories."""
    from chrysalis_memory.data import harbour_memories

    lines = "\n".join(json.dumps(memory) for memory in harbour_memories())
    assert chrysalis("import", "-", stdin=lines).code == 0
    return chrysalis
