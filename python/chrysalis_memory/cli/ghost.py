"""Commands about the ghost: how it stands, what it last knew, and clearing it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chrysalis_memory.cli.options import GhostFolder, Json, Store
from chrysalis_memory.cli.output import (
    age,
    confirm,
    console,
    counted,
    for_people,
    one_line,
    print_json,
    print_row,
    printable,
    say,
)
from chrysalis_memory.cli.passphrase import given_passphrase
from chrysalis_memory.errors import NotFound, Refused
from chrysalis_memory.ghost import (
    GhostCache,
    GhostOverview,
    GhostReading,
    Pheromone,
    Proposal,
    Staleness,
    ghost_of,
)
from chrysalis_memory.ghost.records import as_text
from chrysalis_memory.ghost.staleness import GHOST_PREFIX, in_words

PANEL: Final = "Context"

_STYLES: Final = {Staleness.FRESH: "green", Staleness.STALE: "yellow", Staleness.REFUSE: "red"}
_BAR_CELLS: Final = 20
_GIST_CHARACTERS: Final = 60

What = Annotated[
    Literal["status", "map", "cluster", "agent", "pheromones", "proposals"],
    typer.Argument(metavar="WHAT", help="What to show: status, map, cluster, agent, pheromones or proposals."),
]


def register(app: typer.Typer) -> None:
    """Add this group of commands to the application."""
    group = typer.Typer(
        help="What was last known, for when the live answer can't be had.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    group.command("status")(status)
    group.command("show")(show)
    group.command("clear")(clear)
    app.add_typer(group, name="ghost", rich_help_panel=PANEL)


def open_ghost(ghost: Path | None, store: Path | None) -> GhostCache:
    """The ghost in that folder, or the one that belongs to the store, which an encrypted store has not."""
    return ghost_of(store, ghost, encrypted=given_passphrase() is not None)


def status(*, ghost: GhostFolder = None, store: Store = None, json: Json = False) -> None:
    """Show what the ghost keeps, how old it is, and how stable the live answers were.

    [bold]Examples[/bold]

      chrysalis ghost status

      chrysalis ghost status --json
    """
    found = open_ghost(ghost, store).overview()
    if json:
        print_json(found.to_dict())
    elif for_people():
        _show_overview(found)
    else:
        for row in _overview_rows(found):
            print_row(*row)


def _overview_rows(found: GhostOverview) -> Iterator[tuple[object, ...]]:
    yield "path", found.path
    yield "last sync", found.last_sync.isoformat() if found.last_sync else "never"
    yield "stability", f"{found.stability.score:.2f}", found.stability.calls
    yield "threshold_s", f"{found.threshold_s:.0f}"
    for one in found.entries:
        yield "entry", _title(one), one.level, f"{one.age_s:.0f}", one.why
    for kind, strength in found.pheromones.items():
        yield "pheromone", kind, f"{strength:.2f}"
    yield "proposals", found.pending, found.rejected
    for place in found.set_aside:
        yield "set aside", place
    for problem in found.problems:
        yield "problem", problem.place, problem.what


def _show_overview(found: GhostOverview) -> None:
    console().print(_facts(found))
    if found.entries:
        console().print(Padding(_entries(found), (1, 0, 0, 0)))
    else:
        say("\n[yellow]nothing is kept yet[/]: what succeeds through the paths of self.memory is written here")
    if found.pheromones:
        console().print(Padding(_in_the_air(found), (1, 0, 0, 0)))
    _show_trouble(found)


def _facts(found: GhostOverview) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", justify="right")
    table.add_column(overflow="fold")
    table.add_row("ghost", Text(printable(found.path)))
    table.add_row("last sync", f"{age(found.last_sync)} ago" if found.last_sync else "never")
    table.add_row("stability", _stability(found))
    table.add_row("fresh for", f"{in_words(found.threshold_s)}, refused after {in_words(2 * found.threshold_s)}")
    if found.pending or found.rejected:
        table.add_row("proposals", f"{found.pending} pending, {found.rejected} rejected")
    return table


def _stability(found: GhostOverview) -> str:
    measured = found.stability
    if not measured.calls:
        return "not measured yet"
    return f"{measured.score:.0%} of the last {counted(measured.calls, 'call')} got the live answer"


def _entries(found: GhostOverview) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("entry", "level", "age"):
        table.add_column(heading)
    table.add_column("what it says", no_wrap=True, overflow="ellipsis")
    for one in found.entries:
        style = _STYLES[one.level]
        table.add_row(Text(_title(one)), Text(one.level, style), _age(one), _gist(one))
    return table


def _title(reading: GhostReading) -> str:
    return reading.what if reading.name is None else f"{reading.what} {one_line(reading.name)}"


def _age(reading: GhostReading) -> str:
    return in_words(reading.age_s) if reading.age_s >= 0 else "in the future"


def _gist(reading: GhostReading) -> Text:
    if reading.level is Staleness.REFUSE:
        return Text(one_line(reading.why.partition(";")[0]), style="dim")
    return Text(one_line(as_text(reading.data))[:_GIST_CHARACTERS])


def _in_the_air(found: GhostOverview) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("in the air", no_wrap=True)
    table.add_column("strength", justify="right")
    table.add_column("")
    strongest = max(found.pheromones.values())
    for kind, strength in found.pheromones.items():
        bar = "▇" * max(1, round(_BAR_CELLS * strength / strongest))
        table.add_row(Text(one_line(kind)), f"{strength:.2f}", Text(bar, style="cyan"))
    return table


def _show_trouble(found: GhostOverview) -> None:
    for problem in found.problems:
        console().print(Text.assemble(("\nnot ours: ", "yellow"), one_line(f"{problem.place}: {problem.what}")))
    if found.set_aside:
        names = one_line(", ".join(found.set_aside))
        console().print(Text.assemble(("\nset aside: ", "yellow"), names, (" (never deleted by itself)", "dim")))


def show(
    what: What = "status",
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The agent, or the type of pheromones.", show_default=False)
    ] = None,
    *,
    ghost: GhostFolder = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Show one entry of the ghost: as it is while fresh, behind [bold]\\[GHOST][/bold] with its age once stale.

    Exit code 1 means that nothing is kept; 4, that it is refused as too old.

    [bold]Examples[/bold]

      chrysalis ghost show

      chrysalis ghost show agent ada

      chrysalis ghost show pheromones warning
    """
    cache = open_ghost(ghost, store)
    if what == "pheromones":
        _tell_pheromones(cache.pheromones.sniff(name), as_json=json)
        return
    if what == "agent" and name is None:
        raise ValueError("which agent? `chrysalis ghost status` lists them")
    if what != "agent" and name is not None:
        raise ValueError(f"there is one {what} only; a name stands with agent and pheromones")
    if what == "proposals":
        _tell_proposals(cache, as_json=json)
    else:
        _tell(_read(cache, what, name), as_json=json)


def _read(cache: GhostCache, what: str, name: str | None) -> GhostReading:
    """The entry, if it may be shown."""
    reading = cache.read(what) if name is None else cache.read_agent(name)
    title = what if name is None else f"{what} {name!r}"
    if reading is None:
        found_wrong = "".join(f"; {problem.place}: {problem.what}" for problem in cache.problems)
        raise NotFound(
            f"nothing is kept of {title}{found_wrong}", code="ghost_miss", hint="See `chrysalis ghost status`."
        )
    if reading.level is Staleness.REFUSE:
        raise Refused(
            f"{title} is not shown: {reading.why}",
            code="ghost_refused",
            hint="Ask for the live answer; each one that succeeds is written here.",
            age_s=reading.age_s,
            threshold_s=reading.threshold_s,
        )
    return reading


def _tell(reading: GhostReading, *, as_json: bool) -> None:
    if as_json:
        print_json({**reading.to_dict(), "text": reading.text})
        return
    if not for_people():
        typer.echo(printable(reading.text))
        return
    if reading.level is Staleness.STALE:
        console().print(Text.assemble((GHOST_PREFIX, "bold yellow"), f" {reading.why}\n"))
    else:
        console().print(Text(f"{reading.age}, fresh\n", style="dim"))
    console().print(Text(printable(as_text(reading.data, indent=2))))


def _tell_pheromones(found: list[Pheromone], *, as_json: bool) -> None:
    if as_json:
        print_json([one.to_dict() for one in found])
    elif not for_people():
        for one in found:
            print_row(one.type, f"{one.strength:.3f}", one.agent, one.message)
    elif not found:
        say("[yellow]nothing is in the air[/]")
    else:
        table = _plain_table("type", "strength", "half-life", "agent", "message")
        for one in found:
            half_life = in_words(one.half_life_s)
            table.add_row(*_cells(one.type, f"{one.strength:.2f}", half_life, one.agent, one.message))
        console().print(table)


def _tell_proposals(cache: GhostCache, *, as_json: bool) -> None:
    pending, rejected = cache.proposals.pending(), cache.proposals.rejected()
    if as_json:
        print_json({"pending": [one.to_dict() for one in pending], "rejected": [one.to_dict() for one in rejected]})
    elif not for_people():
        for state, some in (("pending", pending), ("rejected", rejected)):
            for one in some:
                print_row(state, one.id, one.agent, one.text, one.reason or "")
    elif not pending and not rejected:
        say("[yellow]no proposals[/]")
    else:
        console().print(_proposals(pending, rejected))


def _proposals(pending: list[Proposal], rejected: list[Proposal]) -> Table:
    table = _plain_table("state", "id", "age", "agent", "proposal", "reason")
    for one in pending:
        table.add_row(*_cells("pending", one.id, age(one.at), one.agent, one.text, ""))
    for one in rejected:
        table.add_row(*_cells("rejected", one.id, age(one.at), one.agent, one.text, one.reason or ""), style="dim")
    return table


def _cells(*words: str) -> list[Text]:
    """Words from anywhere as they are, without their markup taking effect."""
    return [Text(one_line(word)) for word in words]


def _plain_table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading)
    return table


def clear(
    *,
    set_aside: Annotated[bool, typer.Option("--set-aside", help="Delete what was set aside, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    ghost: GhostFolder = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Delete all entries of the ghost, and nothing else in its folder. The store keeps all that it has.

    [bold]Examples[/bold]

      chrysalis ghost clear

      chrysalis ghost clear --set-aside --yes
    """
    cache = open_ghost(ghost, store)
    if not yes:
        confirm(f"Clear the ghost in {printable(str(cache.path))}?")
    places = cache.clear(set_aside=set_aside)
    if json:
        print_json({"path": str(cache.path), "cleared": places})
    elif for_people():
        say(f"cleared {counted(len(places), 'file')}" if places else "[yellow]there was nothing to clear[/]")
    else:
        for place in places:
            print_row(place)
