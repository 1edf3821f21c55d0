"""How fast recall answers, at sizes that you choose: `python -m benchmarks.recall_speed --help`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import machine
from benchmarks.quality import embeddings
from benchmarks.speed import tables
from benchmarks.speed.run import Plan, measure_all
from chrysalis_memory.errors import ChrysalisError

__all__ = ["main"]


def main(
    sizes: Annotated[
        str, typer.Option(help="Memories in the stores, by commas; 1000000 takes its time.")
    ] = "10000,100000",
    embedder: Annotated[
        str, typer.Option(help="Whose vectors of real sentences to learn from; without a model, of made-up topics.")
    ] = "auto",
    out: Annotated[Path | None, typer.Option(help="Write speed.json here.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to put the stores: the disk that you mean to use.")] = None,
    quick: Annotated[bool, typer.Option(help="Few sentences and few calls: to see that it runs.")] = False,
) -> None:
    """Print the times of recall by mode and filter, of its stages, and of what is remembered becoming recallable."""
    progress = Console(stderr=True)
    chosen = [int(size) for size in sizes.split(",")]
    plan = Plan(chosen, sentences=400, rounds=3, calls=30, lag_rounds=3) if quick else Plan(chosen)
    try:
        model = embeddings.make(embedder)
    except (ChrysalisError, RuntimeError, ValueError) as error:
        progress.print(f"[red]{error}[/]")
        raise typer.Exit(2) from None
    facts = machine.describe(folder or Path(tempfile.gettempdir()))
    run = measure_all(plan, model, folder, lambda text: progress.print(f"[dim]{text}[/]"))
    run["machine"] = facts
    sys.stdout.write(tables.everything(run))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "speed.json").write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
