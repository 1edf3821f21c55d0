"""Commands that move memories between stores and files: import, export."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import Annotated, Final

import typer

from chrysalis_memory.cli.failures import NOTHING
from chrysalis_memory.cli.opening import open_to_read, open_to_write
from chrysalis_memory.cli.options import DEFAULT_AGENT, Agent, Json, Space, Store, given
from chrysalis_memory.cli.output import console, for_people, print_json, print_row, printable, say, size, working
from chrysalis_memory.records import ImportReport

_PANEL: Final = "Move"
_PROBLEMS_SHOWN: Final = 20


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command("import", rich_help_panel=_PANEL, no_args_is_help=True)(import_file)
    app.command(rich_help_panel=_PANEL, no_args_is_help=True)(export)


def import_file(
    path: Annotated[str, typer.Argument(help="A file or folder; - reads standard input.")],
    *,
    format: Annotated[
        str | None, typer.Option(help="markdown, jsonl, chatgpt, claude, mcp or mem0; else the content tells.")
    ] = None,
    store: Store = None,
    agent: Agent = DEFAULT_AGENT,
    space: Space = None,
    json: Json = False,
) -> None:
    """Take in what other programs wrote; imported twice is stored once.

    Reads Markdown folders, JSON lines, ChatGPT and Claude exports, the MCP memory server's memory.json, mem0 exports,
    and bundles of [bold]chrysalis export[/bold]. A bad record is named with file and line, the rest goes on, and the
    exit code is 1.

    [bold]Examples[/bold]

      chrysalis import notes/

      chrysalis import conversations.json --format claude

      chrysalis list --jsonl --limit 1000 | chrysalis --store other import -
    """
    with as_file(path) as file, open_to_write(store, space, agent) as memory, working(f"Importing {Path(path).name}"):
        report = memory.import_(file, **given(format=format))
    if json:
        print_json(report.to_dict())
    else:
        _show(report)
    if report.failed:
        raise typer.Exit(NOTHING)


@contextmanager
def as_file(path: str) -> Iterator[Path]:
    """The file that the path names; of standard input (`-`) a copy that lasts as long as it is needed."""
    if path != "-":
        yield Path(path).expanduser()
        return
    with tempfile.TemporaryDirectory() as folder:
        spooled = Path(folder, "standard-input")
        with spooled.open("wb") as file:
            copyfileobj(sys.stdin.buffer, file)
        yield spooled


def _show(report: ImportReport) -> None:
    if not for_people():
        print_row("read", report.read)
        print_row("added", report.added)
        print_row("unchanged", report.unchanged)
        for problem in report.failed:
            print_row("failed", f"{problem.file}:{problem.line}", problem.what)
        return
    say(f"[green]{report.added} added[/], {report.unchanged} already there, of {report.read} read")
    for problem in report.failed[:_PROBLEMS_SHOWN]:
        where = f"{problem.file}:{problem.line}" if problem.line else problem.file
        console().print(f"  {printable(where)}  {printable(problem.what)}", style="yellow", markup=False)
    if len(report.failed) > _PROBLEMS_SHOWN:
        say(f"  and {len(report.failed) - _PROBLEMS_SHOWN} more; --json lists all")


def export(
    path: Annotated[str, typer.Argument(help="The bundle to write; - writes to standard output.")],
    *,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Write every signed operation into one file that another store imports and verifies.

    [bold]Examples[/bold]

      chrysalis export backup.bundle

      chrysalis export - | ssh other chrysalis import -
    """
    if path == "-":
        _export_to_pipe(store, space)
        return
    target = Path(path).expanduser()
    with open_to_read(store, space) as memory, working(f"Exporting to {target.name}"):
        memory.export(target)
    written = target.stat().st_size
    if json:
        print_json({"path": str(target), "bytes": written})
    elif for_people():
        say(f"[green]exported[/] {size(written)}")
    else:
        print_row(target, written)


def _export_to_pipe(store: Path | None, space: str | None) -> None:
    if sys.stdout.isatty():
        raise ValueError("a bundle is no text for a terminal; name a file, or pipe it into another program")
    with tempfile.TemporaryDirectory() as folder, open_to_read(store, space) as memory:
        bundle = Path(folder, "bundle")
        memory.export(bundle)
        with bundle.open("rb") as file:
            copyfileobj(file, sys.stdout.buffer)
