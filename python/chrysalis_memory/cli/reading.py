"""Commands that read: recall, show, list, history, graph."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import typer

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.cli import options
from chrysalis_memory.cli.failures import NOTHING
from chrysalis_memory.cli.graph import draw, gather
from chrysalis_memory.cli.opening import find, open_to_read
from chrysalis_memory.cli.options import (
    Id,
    Json,
    JsonLines,
    ScopeFilter,
    Space,
    Store,
    TagFilter,
    ThreadFilter,
    TierFilter,
    TypeFilter,
    given,
)
from chrysalis_memory.cli.output import print_json, print_json_lines
from chrysalis_memory.cli.tables import show_explained, show_history, show_list, show_memory, show_recall
from chrysalis_memory.errors import NotFound
from chrysalis_memory.records import Revision

_PANEL: Final = "Read"


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(rich_help_panel=_PANEL, no_args_is_help=True)(recall)
    app.command(rich_help_panel=_PANEL, no_args_is_help=True)(show)
    app.command("list", rich_help_panel=_PANEL)(list_memories)
    app.command(rich_help_panel=_PANEL, no_args_is_help=True)(history)
    app.command(rich_help_panel=_PANEL, no_args_is_help=True)(graph)


def recall(
    query: Annotated[list[str], typer.Argument(metavar="QUERY", help="A question or words; no quotes needed.")],
    *,
    k: Annotated[int, typer.Option("-k", "--limit", min=1, help="At most so many.")] = 10,
    scope: ScopeFilter = None,
    tier: TierFilter = None,
    memory_type: TypeFilter = None,
    tag: TagFilter = None,
    thread: ThreadFilter = None,
    speaker: Annotated[str | None, typer.Option(help="Said by so-and-so.", rich_help_panel="Filters")] = None,
    since: Annotated[str | None, typer.Option(help="Not before: a date, or 7d.", rich_help_panel="Filters")] = None,
    until: Annotated[str | None, typer.Option(help="Not after.", rich_help_panel="Filters")] = None,
    as_of: Annotated[str | None, typer.Option(help="What held at that time.", rich_help_panel="Filters")] = None,
    min_importance: Annotated[
        float | None, typer.Option(min=0, max=1, help="Matters at least so much.", rich_help_panel="Filters")
    ] = None,
    verified: Annotated[
        bool, typer.Option("--verified", help="Only with a signature checked now.", rich_help_panel="Filters")
    ] = False,
    mode: Annotated[Literal["hybrid", "text", "vector"], typer.Option(help="What to search by.")] = "hybrid",
    ranking: Annotated[
        Literal["default", "recent", "important", "collective"], typer.Option(help="What comes first.")
    ] = "default",
    threshold: Annotated[
        str, typer.Option(help="Least score: none, lenient, balanced, strict or a number from 0 to 1.")
    ] = "lenient",
    dates: Annotated[Literal["lift", "narrow", "ignore"], typer.Option(help="What times in the question do.")] = "lift",
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="TIME", help="The present of the question: a date, or 7d.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what each score is made of; JSON always has it.")
    ] = False,
    store: Store = None,
    space: Space = None,
    json: Json = False,
    jsonl: JsonLines = False,
) -> None:
    """Find the memories that answer a question; exit code 1 when nothing fits.

    Words in double quotes are a phrase; a star after the last word stands for any ending.

    [bold]Examples[/bold]

      chrysalis recall when does tidewatch go live

      chrysalis recall "gauge battery" -k 3 --since 30d --json

      chrysalis recall what broke last week --explain

      chrysalis recall 'calibr*' --threshold none
    """
    filters = given(
        scope=scope,
        tier=tier,
        memory_type=memory_type,
        tags=tag,
        thread=thread,
        speaker=speaker,
        since=options.moment(since) if since else None,
        until=options.moment(until) if until else None,
        as_of=options.moment(as_of) if as_of else None,
        min_importance=min_importance,
        verified_only=verified or None,
        mode=mode,
        ranking=ranking,
        threshold=options.threshold(threshold),
        dates=dates,
        reference_time=options.moment(reference) if reference else None,
        prefix=True,
    )
    with open_to_read(store, space) as memory:
        found = memory.recall(" ".join(query), k=k, **filters)
        if explain and not (json or jsonl):
            show_explained(found, ranking=ranking)
        elif json:
            print_json(found.to_dict())
        elif jsonl:
            print_json_lines(found)
        else:
            show_recall(found)
    if not found:
        raise typer.Exit(NOTHING)


def show(id: Id, *, store: Store = None, space: Space = None, json: Json = False) -> None:
    """Show one memory with all that is known about it.

    [bold]Examples[/bold]

      chrysalis show 95c7

      chrysalis show first-date --json
    """
    with open_to_read(store, space) as memory:
        found = find(memory, id)
        if json:
            print_json(found.to_dict())
        else:
            show_memory(found, memory.conflicts(found.id))


def list_memories(
    *,
    scope: ScopeFilter = None,
    tier: TierFilter = None,
    memory_type: TypeFilter = None,
    tag: TagFilter = None,
    thread: ThreadFilter = None,
    order: Annotated[
        Literal["created", "updated", "importance"], typer.Option(help="By which the list is sorted.")
    ] = "created",
    ascending: Annotated[bool, typer.Option("--ascending", help="Oldest or least first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Leave out so many first.")] = 0,
    store: Store = None,
    space: Space = None,
    json: Json = False,
    jsonl: JsonLines = False,
) -> None:
    """List memories, newest first; exit code 1 when there is none.

    [bold]Examples[/bold]

      chrysalis list --tag decision --limit 5

      chrysalis list --order importance --jsonl > memories.jsonl
    """
    filters = given(scope=scope, tier=tier, memory_type=memory_type, tags=tag, thread=thread)
    with open_to_read(store, space) as memory:
        found = memory.list(order=order, descending=not ascending, limit=limit, offset=offset, **filters)
        if json:
            print_json([item.to_dict() for item in found])
        elif jsonl:
            print_json_lines(found)
        else:
            show_list(found)
    if not found:
        raise typer.Exit(NOTHING)


def history(id: Id, *, store: Store = None, space: Space = None, json: Json = False) -> None:
    """Show who changed a memory, when, and what; each line is a signed operation.

    [bold]Examples[/bold]

      chrysalis history first-date
    """
    with open_to_read(store, space) as memory:
        identity, revisions = _revisions(memory, id)
        if json:
            print_json([revision.to_dict() for revision in revisions])
        else:
            show_history(identity, revisions)


def _revisions(memory: ChrysalisMemory, given: str) -> tuple[str, list[Revision]]:
    # A forgotten memory cannot be found any more, but its whole id still has a history.
    try:
        return given, memory.history(given)
    except NotFound:
        found = find(memory, given)
        return found.id, memory.history(found.id)


def graph(
    id: Id,
    *,
    depth: Annotated[int, typer.Option(min=1, max=20, help="How many links away.")] = 3,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Draw what a memory follows from, what follows from it, and what it is related to.

    [bold]Examples[/bold]

      chrysalis graph correction-rule --depth 2
    """
    with open_to_read(store, space) as memory:
        found = gather(memory, find(memory, id), depth)
        if json:
            print_json(found.to_dict())
        else:
            draw(found)
