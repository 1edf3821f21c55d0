"""The table: on a terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.row import Row

__all__ = ["as_markdown", "show", "write"]

_HEADS = ("what", "ours", "beside", "yardstick", "ratio", "goal", "met", "note")


def show(console: Console, rows: Sequence[Row], machine: Mapping[str, str]) -> None:
    """Prints the table."""
    table = Table(title="Chrysalis Memory beside the thinnest program that does the same", title_justify="left")
    for head in _HEADS:
        table.add_column(head, justify="right" if head in {"ours", "yardstick", "ratio"} else "left")
    for row in rows:
        style = {"yes": "green", "no": "red"}.get(row.verdict, "")
        *cells, goal, verdict, note = row.cells()
        table.add_row(*cells, goal, f"[{style}]{verdict}[/]" if style else verdict, note)
    console.print(table)
    console.print(
        "Times are median / 99th percentile. " + "; ".join(f"{key} {value}" for key, value in machine.items())
    )


def as_markdown(rows: Sequence[Row], machine: Mapping[str, str]) -> str:
    """The table as Markdown."""
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}"]
    lines.extend(f"| {' | '.join(cell.replace('|', '/') for cell in row.cells())} |" for row in rows)
    facts = "; ".join(f"{key}: {value}" for key, value in machine.items())
    return "\n".join(lines) + f"\n\nTimes are median / 99th percentile. {facts}.\n"


def write(path: Path, rows: Sequence[Row], machine: Mapping[str, str]) -> None:
    """Writes the table beside itself: `path` with the ending `.md`, and with `.json`."""
    path.with_suffix(".md").write_text(as_markdown(rows, machine), encoding="utf-8")
    plain = {"machine": dict(machine), "rows": [row.to_dict() for row in rows]}
    path.with_suffix(".json").write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
