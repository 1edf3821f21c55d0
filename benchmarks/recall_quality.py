"""How well recall finds, beside other systems, over data that you give: `python -m benchmarks.recall_quality --help`.

Other harnesses can drive Chrysalis Memory by `benchmarks.recall_quality:Adapter`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import machine
from benchmarks.quality import embeddings, tables
from benchmarks.quality.adapter import Adapter
from benchmarks.quality.collection import Collection
from benchmarks.quality.earlier import Earlier
from benchmarks.quality.kinds import KINDS
from benchmarks.quality.loading import load
from benchmarks.quality.run import measure_all
from chrysalis_memory.errors import ChrysalisError

__all__ = ["Adapter", "main"]


def main(
    data: Annotated[list[Path], typer.Option(help="A file or folder of questions; repeat. docs/recall.md says which.")],
    pooled: Annotated[bool, typer.Option(help="Also ask every question of one store that holds all.")] = False,
    systems: Annotated[str, typer.Option(help="Which systems, by commas.")] = ",".join(KINDS),
    embedder: Annotated[
        str, typer.Option(help="local, none, or module:callable that makes an object with `name` and `embed(texts)`.")
    ] = "local",
    out: Annotated[Path | None, typer.Option(help="Write quality.json and quality-questions.jsonl here.")] = None,
    embeddings_file: Annotated[
        Path | None, typer.Option(help="Keep embeddings in this .npz, and take from it what an earlier run kept.")
    ] = None,
    reuse: Annotated[
        Path | None, typer.Option(help="Take the other systems' answers from what an earlier run wrote with --out.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many questions of each conversation.")] = None,
) -> None:
    """Print every figure for every collection and system, by category, with intervals."""
    chosen = [name.strip() for name in systems.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in KINDS]:
        raise typer.BadParameter(f"{unknown[0]} is none of {', '.join(KINDS)}", param_hint="--systems")
    progress = Console(stderr=True)
    try:
        shared = embeddings.make(embedder, embeddings_file)
        earlier = Earlier(reuse, None if shared is None else shared.name)
        collections = [_limited(load(path), limit) for path in data]
    except (ChrysalisError, OSError, RuntimeError, ValueError) as error:
        progress.print(f"[red]{error}[/]")
        raise typer.Exit(2) from None
    if pooled:
        collections.extend([one.pooled() for one in collections if len(one.conversations) > 1])
    try:
        run, single = measure_all(collections, chosen, shared, lambda text: progress.print(f"[dim]{text}[/]"), earlier)
    finally:
        if shared is not None:
            shared.save()
    run["embedder"] = None if shared is None else shared.name
    run["machine"] = machine.describe(Path(tempfile.gettempdir()))
    sys.stdout.write(tables.everything(run))
    if out is not None:
        _write(out, run, single)


def _limited(collection: Collection, limit: int | None) -> Collection:
    return collection if limit is None else collection.limited(limit)


def _write(folder: Path, run: dict[str, object], single: list[dict[str, object]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quality.json").write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in single)
    (folder / "quality-questions.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
