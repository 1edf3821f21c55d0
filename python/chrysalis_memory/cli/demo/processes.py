"""The processes of the demonstration: agents and a hub, each with a store of its own, linked by real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["Agent", "Hub"]

Answer: TypeAlias = "dict[str, Any]"

_SCREEN = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}


class _Process:
    """A child that is ended with this object, and heard line by line."""

    def __init__(self, *arguments: str) -> None:
        # Its output is heard by a program, whatever the screen of this process is said to be.
        environment = {name: value for name, value in os.environ.items() if name not in _SCREEN}
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter, our own modules
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def _hear(self) -> Answer:
        line = self._child.stdout.readline() if self._child.stdout else ""
        if not line:
            self._reap()
            raise RuntimeError(f"a process of the demonstration ended with exit code {self._child.returncode}")
        heard: Answer = json.loads(line)
        return heard

    def kill(self) -> None:
        """Ends it at once, without a word (SIGKILL)."""
        self._child.kill()
        self._reap()

    def _reap(self) -> None:
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


class Agent(_Process):
    """An agent, running until `stop`."""

    def __init__(self, name: str, path: Path, **settings: Any) -> None:
        super().__init__("-m", "chrysalis_memory.cli.demo.agent")
        self.name = name
        self._write({"name": name, "path": str(path), **settings})
        self._began: Answer = {}

    def begun(self) -> Agent:
        """Waits until it runs; several start at once when nobody waits between them."""
        if not self._began:
            self._began = self._hear()
        return self

    @property
    def address(self) -> str:
        """Where it listens."""
        return str(self.begun()._began["address"])

    @property
    def key(self) -> str:
        """The public key of its replica."""
        return str(self.begun()._began["key"])

    def ask(self, do: str, **more: Any) -> Answer:
        """Asks it to do something, and waits for the answer."""
        self.tell(do, **more)
        return self.answer()

    def tell(self, do: str, **more: Any) -> None:
        """Asks it to do something; `answer` waits for the answer."""
        self.begun()
        self._write({"do": do, **more})

    def answer(self) -> Answer:
        """What it answered to the oldest thing that it was told and not heard on."""
        return self._hear()

    def _write(self, words: Answer) -> None:
        if self._child.stdin is not None:
            self._child.stdin.write(json.dumps(words) + "\n")
            self._child.stdin.flush()

    def stop(self) -> None:
        """Lets it end in good order."""
        if self._child.poll() is None and self._child.stdin is not None:
            self._child.stdin.close()
        self._reap()


class Hub(_Process):
    """`chrysalis hub`, running until `stop` or `kill`."""

    def __init__(self, store: Path, space: str) -> None:
        self._arguments = ("hub", "--store", str(store), "--space", space, "--http-port", "0", "--set", "embedder=none")
        self._port = 0
        self.start()

    def start(self) -> None:
        """Runs it; again at the same port, after `kill`."""
        super().__init__("-m", "chrysalis_memory.cli", *self._arguments, "--port", str(self._port))
        try:
            self.links = str(self._hear()["links"])
        except BaseException:
            self.kill()
            raise
        self._port = int(self.links.rsplit(":", 1)[1])

    def stop(self) -> None:
        """Lets it end in good order."""
        self._child.terminate()
        self._reap()
