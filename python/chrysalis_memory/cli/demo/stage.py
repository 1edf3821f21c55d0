"""Where the demonstration takes place: stores in a temporary folder, a screen, and what was shown to hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chrysalis_memory import ChrysalisMemory, Memory

SPACE = "tidewatch"


@dataclass
class Stage:
    """Where the demonstration takes place, and what it has shown so far."""

    folder: Path
    out: Console
    embedder: str
    checks: list[dict[str, Any]] = field(default_factory=list)

    def store(self, name: str) -> Path:
        """The folder of one machine's store."""
        return self.folder / name

    def open(self, name: str, *, embedder: str = "none") -> ChrysalisMemory:
        """Each agent has a machine of its own, and a store there."""
        return ChrysalisMemory(self.store(name), agent_id=name, space=SPACE, embedder=embedder)

    def chapter(self, title: str, words: str) -> None:
        """A heading, and what it is about."""
        self.out.print()
        self.out.print(Text(title, style="bold cyan"))
        self.out.print(Text(words, style="dim"))

    def show(self, *lines: str | Text | Table) -> None:
        """What happened, indented."""
        for line in lines:
            self.out.print(line if isinstance(line, Table) else Text("  ").append(line))

    def check(self, holds: bool, claim: str) -> None:
        """A claim, and whether it held just now."""
        self.checks.append({"claim": claim, "holds": holds})
        mark = Text("  ✓ ", style="green") if holds else Text("  ✗ ", style="bold red")
        self.out.print(mark.append(Text(claim, style="" if holds else "red")))


def get(memory: ChrysalisMemory, id: str) -> Memory:
    found = memory.get(id)
    if found is None:
        raise AssertionError(f"the demonstration's own memory {id!r} is missing")
    return found


def short(words: str, most: int = 64) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
