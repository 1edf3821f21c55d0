"""What the tests of the command line share: running a command in this process on a store of its own."""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

WITHIN_S = 60

needs_terminal = pytest.mark.skipif(os.name != "posix", reason="this system has other terminals")

# The first terminal that the leader of a session opens is its own: what asks for a passphrase goes there.
_ON_ITS_TERMINAL = (
    "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR));"
    "from chrysalis_memory.cli import main; main(sys.argv[1:])"
)


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


def at_terminal(*arguments: str, answers: Sequence[tuple[str, str]] = ()) -> tuple[int, str]:
    """Runs a command in a process with a terminal of its own. Each answer is typed when its question stands there.
    Returns the exit code and all that the terminal showed.
    """
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_ITS_TERMINAL, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shown = ""
        for question, answer in answers:
            shown += _until(ours, question)
            os.write(ours, f"{answer}\n".encode())
        shown += _until(ours, None)
        return process.wait(WITHIN_S), shown
    finally:
        process.kill()
        process.wait(WITHIN_S)
        os.close(ours)


def _until(terminal: int, question: str | None) -> str:
    """What is shown until the question stands there, or until the end."""
    shown = b""
    while question is None or question.encode() not in shown:
        ready, _, _ = select.select([terminal], [], [], WITHIN_S)
        assert ready, f"nothing more was shown after {shown!r}"
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so when nobody has the other end any more
            part = b""
        if not part:
            assert question is None, f"{question!r} was never asked: {shown!r}"
            break
        shown += part
    return shown.decode()


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
