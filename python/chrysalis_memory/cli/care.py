"""Commands that look after a store: verify, stats, rebuild."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from chrysalis_memory.cli.failures import NOTHING
from chrysalis_memory.cli.opening import find, open_to_read
from chrysalis_memory.cli.options import Json, Space, Store
from chrysalis_memory.cli.output import (
    console,
    counted,
    for_people,
    print_json,
    print_row,
    printable,
    say,
    size,
    working,
)
from chrysalis_memory.records import Stats, Verification

PANEL: Final = "Look after"


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (verify, stats, rebuild):
        app.command(rich_help_panel=PANEL)(command)


def verify(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One memory; without it, the whole store.")] = None,
    *,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Check every signature and chain; exit code 1 if one does not hold.

    [bold]Examples[/bold]

      chrysalis verify

      chrysalis verify first-date --json
    """
    with open_to_read(store, space) as memory, working("Checking signatures"):
        result = memory.verify(find(memory, id).id if id else None)
    if json:
        print_json({"ok": bool(result), **result.to_dict()})
    else:
        _show_verification(result)
    if not result:
        raise typer.Exit(NOTHING)


def _show_verification(result: Verification) -> None:
    if not for_people():
        print_row("ok" if result else "failed", result.operations, result.memories)
        for problem in result.problems:
            print_row(problem.code, problem.where, problem.what)
        return
    checked = f"{counted(result.operations, 'operation')} on {counted(result.memories, 'memory')}"
    say(f"[green]all holds[/]: {checked}" if result else f"[bold red]does not hold[/]: {checked}")
    for problem in result.problems:
        console().print(
            Text.assemble(("  " + problem.code, "red"), "  ", printable(f"{problem.where}: {problem.what}"))
        )


def stats(*, store: Store = None, space: Space = None, json: Json = False) -> None:
    """Show what is in the store, and how large it is.

    [bold]Examples[/bold]

      chrysalis stats --json
    """
    with open_to_read(store, space) as memory:
        found = memory.stats()
    if json:
        print_json(found.to_dict())
    elif for_people():
        _show_stats(found)
    else:
        for name, value in _named(found):
            print_row(name, value)


def _show_stats(found: Stats) -> None:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", justify="right")
    table.add_column()
    for name, value in _named(found):
        table.add_row(name.replace("_", " "), Text(printable(_shown(name, value))))
    console().print(table)


def _shown(name: str, value: Any) -> str:
    if name.startswith("file "):
        return size(value)
    return f"{value:.0%}" if name == "vectors_indexing" else str(value)


def _named(found: Stats) -> Iterator[tuple[str, Any]]:
    """Each number by a name of its own: those of types and files are taken out of their mappings."""
    for name, value in found.to_dict().items():
        if isinstance(value, dict):
            label = name.removesuffix("_bytes").removeprefix("memory_").removesuffix("s")
            yield from ((f"{label} {key}", inner) for key, inner in sorted(value.items()))
        elif value is not None:
            yield name, value


def rebuild(*, store: Store = None, space: Space = None, json: Json = False) -> None:
    """Make views, text index, tags and links anew from the signed log.

    [bold]Examples[/bold]

      chrysalis rebuild
    """
    with open_to_read(store, space) as memory, working("Rebuilding from the log"):
        memory.rebuild()
        found = memory.stats()
    if json:
        print_json(found.to_dict())
    elif for_people():
        say(f"[green]rebuilt[/] {found.memories} memories from {found.operations} operations")
    else:
        print_row(found.memories, found.operations)
