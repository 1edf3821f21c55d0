"""`python -m benchmarks`: one run, one table."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import machine, report
from benchmarks.ground import Ground
from benchmarks.row import Row
from benchmarks.suite import MEASUREMENTS


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only measurements whose name begins so; repeat.")] = None,
    quick: Annotated[bool, typer.Option(help="Small stores and few rounds: to see that it runs.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the table here, as .md and as .json.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where to put the stores: choose the disk that you mean to use.")
    ] = None,
) -> None:
    """Measure Chrysalis Memory beside raw SQLite, numpy, pycrdt and loro, and print one table of ratios."""
    chosen = [name for name in MEASUREMENTS if not only or any(name.startswith(start) for start in only)]
    if not chosen:
        raise typer.BadParameter(f"choose from {', '.join(MEASUREMENTS)}", param_hint="--only")
    console, progress = Console(), Console(stderr=True)
    if not console.is_terminal:
        console = Console(width=220)
    with tempfile.TemporaryDirectory(prefix="chrysalis-bench-", dir=folder) as made:
        facts = machine.describe(Path(made))
        ground = Ground(Path(made), quick=quick, say=lambda text: progress.print(f"[dim]{text}[/]"))
        rows: list[Row] = []
        for name in chosen:
            ground.say(f"measuring {name}")
            rows.extend(MEASUREMENTS[name](ground))
        ground.close()
    report.show(console, rows, facts)
    if out is not None:
        report.write(out, rows, facts)


if __name__ == "__main__":
    typer.run(main)
