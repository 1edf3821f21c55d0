"""Commands about the working context of an agent: checkpoints of it, and taking them up again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from chrysalis_memory.cli import crystals as shown
from chrysalis_memory.cli.ghost import PANEL, open_ghost
from chrysalis_memory.cli.opening import PREFIX_CHARACTERS_MIN, open_to_read, open_to_write
from chrysalis_memory.cli.options import (
    DEFAULT_AGENT,
    Agent,
    GhostFolder,
    Json,
    ScopeFilter,
    Space,
    Store,
    ThreadFilter,
    duration,
    given,
    metadata,
)
from chrysalis_memory.cli.output import confirm, print_json, printable
from chrysalis_memory.cli.windows import Format, read_window
from chrysalis_memory.context import TaskState
from chrysalis_memory.memory import ChrysalisMemory
from chrysalis_memory.paths import PathAnswer, Paths

T = TypeVar("T")

_TASK: Final = "What was being done"
_WHOLE_ID: Final = re.compile(r"crystal-[0-9a-f]{24}")

CrystalId = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a crystal, or its beginning; the part after crystal- will do.")
]
Ttl = Annotated[str, typer.Option("--ttl", help="How long it lives unless it is cherished: 24h, 7d.")]


def register(app: typer.Typer) -> None:
    """Add this group of commands to the application."""
    group = typer.Typer(
        help="Checkpoints of an agent's working context: save, resume, branch, keep or let go.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    for name, command in (
        ("save", save),
        ("resume", resume),
        ("list", list_crystals),
        ("show", show),
        ("branch", branch),
        ("cherish", cherish),
        ("compost", compost),
        ("tree", tree),
    ):
        group.command(name)(command)
    app.add_typer(group, name="context", rich_help_panel=PANEL)


def save(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A transcript, a window or messages as JSON, or text; - reads standard input."
        ),
    ] = "-",
    *,
    format: Annotated[Format, typer.Option("--format", help="What the file is; otherwise its content tells.")] = "auto",
    conversation: Annotated[
        str | None, typer.Option(help="Which conversation of several: its number, its id, or words of its title.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="The task in a line.", show_default="the transcript's title, or how it begins", rich_help_panel=_TASK
        ),
    ] = None,
    status: Annotated[str, typer.Option(help="active, blocked, done or any word.", rich_help_panel=_TASK)] = "active",
    done: Annotated[
        list[str] | None, typer.Option(help="A step that was taken; repeat for several.", rich_help_panel=_TASK)
    ] = None,
    next_step: Annotated[
        list[str] | None, typer.Option("--next", help="A step to take; repeat for several.", rich_help_panel=_TASK)
    ] = None,
    note: Annotated[
        list[str] | None,
        typer.Option(help="Working memory as key=value; repeat for several.", rich_help_panel=_TASK),
    ] = None,
    focus: Annotated[
        list[str] | None, typer.Option(help="Keep turns about this word for word; repeat for several.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of the compressed window.", show_default="the engine's")
    ] = None,
    parent: Annotated[str | None, typer.Option(help="The crystal from which this one goes on.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why this is a branch of its parent.")] = None,
    thread: Annotated[
        str | None,
        typer.Option(help="The conversation that it is a checkpoint of.", show_default="the transcript's"),
    ] = None,
    ttl: Ttl = "24h",
    cherished: Annotated[bool, typer.Option("--cherish", help="Keep it from fading at once.")] = False,
    agent: Agent = DEFAULT_AGENT,
    ghost: GhostFolder = None,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Make a checkpoint of a conversation: a crystal. What is in focus stays word for word, the rest in substance.

    Sessions of Claude Code and exports of ChatGPT are read from their files; other files are JSON or text.

    [bold]Examples[/bold]

      chrysalis context save session.jsonl --task "move the sill gauge" --focus decision

      cat notes.txt | chrysalis context save - --ttl 7d
    """
    found = read_window(source, format, conversation)
    state = TaskState(found.name if task is None else task, **given(status=status, done=done, next_steps=next_step))
    arguments = given(focus_hints=focus, working_memory=metadata(note), branch_reason=reason)
    arguments |= {"task_state": state, "ttl": duration(ttl), "pinned": cherished, "thread": thread or found.id or None}
    engine = given(budget_tokens=budget)

    async def call(paths: Paths) -> PathAnswer:
        if parent is not None:
            arguments["parent"] = await _resolved(paths, parent)
        return await paths.invoke("self.memory.crystallize", context=found.window, **arguments)

    answer = _run(call, store, ghost, partial(open_to_write, store, space, agent), agent, engine)
    _tell(answer, json, lambda crystal: shown.saved(crystal, found.window))
    shown.left_out(found.left_out)


def resume(
    id: CrystalId,
    *,
    messages: Annotated[
        bool, typer.Option("--messages", help="Print messages of chat interfaces as JSON instead of text.")
    ] = False,
    ghost: GhostFolder = None,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Print the window that was saved, as text to paste into another tool.

    If the store can't be reached, the last known one is printed behind \\[GHOST] and its age.

    [bold]Examples[/bold]

      chrysalis context resume 95c7b9b3

      chrysalis context resume 95c7b9b3 --messages > messages.json
    """
    answer = _with_id("self.memory.resume", id, store, ghost, space)
    if messages:
        shown.mark_ghost(answer, to_errors=True)
        print_json(answer.value.as_messages())
    elif json:
        print_json(answer.to_dict() | {"text": answer.text})
    else:
        typer.echo(printable(answer.text))


def list_crystals(
    *,
    agent: Annotated[str | None, typer.Option(help="Only of this agent.")] = None,
    thread: ThreadFilter = None,
    scope: ScopeFilter = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    ghost: GhostFolder = None,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """List the crystals that have not faded, newest first.

    [bold]Examples[/bold]

      chrysalis context list

      chrysalis context list --agent ada --json
    """
    answer = _map(store, ghost, space)
    rows = sorted(_chosen(answer, agent, thread, scope), key=lambda row: str(row["timestamp"]), reverse=True)[:limit]
    _tell_rows(answer, rows, json, shown.table)


def tree(
    *,
    agent: Annotated[str | None, typer.Option(help="Only of this agent.")] = None,
    thread: ThreadFilter = None,
    scope: ScopeFilter = None,
    ghost: GhostFolder = None,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Draw the crystals as a tree: what went on from what, and why it branched.

    [bold]Examples[/bold]

      chrysalis context tree

      chrysalis context tree --agent ada
    """
    answer = _map(store, ghost, space)
    _tell_rows(answer, _chosen(answer, agent, thread, scope), json, shown.tree)


def show(
    id: CrystalId, *, ghost: GhostFolder = None, store: Store = None, space: Space = None, json: Json = False
) -> None:
    """Show all of a crystal: its task, what was in hand, the summary, and what was kept word for word.

    [bold]Examples[/bold]

      chrysalis context show 95c7b9b3

      chrysalis context show 95c7b9b3 --json
    """
    _tell(_with_id("self.memory.inspect", id, store, ghost, space), json, shown.whole)


def branch(
    id: CrystalId,
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Why another way is tried.")],
    *,
    ttl: Ttl = "24h",
    agent: Agent = DEFAULT_AGENT,
    ghost: GhostFolder = None,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Make a crystal that goes another way from this one. The other stays as it is.

    [bold]Examples[/bold]

      chrysalis context branch 95c7b9b3 "try the smaller gauge"
    """
    answer = _with_id("self.memory.branch", id, store, ghost, space, agent, reason=reason, ttl=duration(ttl))
    _tell(answer, json, shown.made)


def cherish(
    id: CrystalId, *, ghost: GhostFolder = None, store: Store = None, space: Space = None, json: Json = False
) -> None:
    """Keep a crystal from fading: it stays until it is composted.

    [bold]Examples[/bold]

      chrysalis context cherish 95c7b9b3
    """
    _tell(_with_id("self.memory.cherish", id, store, ghost, space), json, shown.kept)


def compost(
    id: CrystalId,
    *,
    reason: Annotated[str, typer.Option(help="Kept for everybody to see; the words are erased.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    ghost: GhostFolder = None,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Forget a crystal for good, also one that is cherished: in the store, on other replicas, and in the ghost.

    [bold]Examples[/bold]

      chrysalis context compost 95c7b9b3 --yes
    """

    async def call(paths: Paths) -> PathAnswer:
        identity = await _resolved(paths, id)
        if not yes:
            confirm(f"Compost {printable(identity)} for good?")
        return await paths.invoke("self.memory.compost", crystal_id=identity, reason=reason)

    answer = _run(call, store, ghost, partial(open_to_read, store, space))
    _tell(answer, json, lambda receipt: shown.composted(receipt.id))


def _with_id(
    path: str,
    id: str,
    store: Path | None,
    ghost: Path | None,
    space: str | None,
    agent: str = DEFAULT_AGENT,
    **arguments: Any,
) -> PathAnswer:
    async def call(paths: Paths) -> PathAnswer:
        return await paths.invoke(path, crystal_id=await _resolved(paths, id), **arguments)

    return _run(call, store, ghost, partial(_existing, store, space, agent), agent)


def _existing(store: Path | None, space: str | None, agent: str) -> ChrysalisMemory:
    """The store in this agent's name, unless there is none: only `save` makes one."""
    return open_to_read(store, space) if agent == DEFAULT_AGENT else open_to_write(store, space, agent)


def _map(store: Path | None, ghost: Path | None, space: str | None) -> PathAnswer:
    async def call(paths: Paths) -> PathAnswer:
        return await _crystals(paths)

    return _run(call, store, ghost, partial(open_to_read, store, space))


async def _crystals(paths: Paths) -> PathAnswer:
    return await paths.invoke("self.memory.manifest", what="map", anew=True)


def _run(
    call: Callable[[Paths], Awaitable[T]],
    store: Path | None,
    ghost: Path | None,
    opener: Callable[[], ChrysalisMemory],
    agent: str = DEFAULT_AGENT,
    engine: dict[str, Any] | None = None,
) -> T:
    async def within() -> T:
        async with Paths(store, ghost=open_ghost(ghost, store), agent_id=agent, opener=opener, engine=engine) as paths:
            return await call(paths)

    return asyncio.run(within())


async def _resolved(paths: Paths, id: str) -> str:
    """The id of the crystal that is meant: as it is, or the only one that begins so, live or as last known."""
    if _WHOLE_ID.fullmatch(id) or len(id) < PREFIX_CHARACTERS_MIN:
        return id
    known = [str(row["crystal_id"]) for row in shown.rows_of(await _crystals(paths))]
    found = [one for one in known if one.startswith((id, f"crystal-{id}"))]
    if id in found or not found:
        return id
    if len(found) > 1:
        raise ValueError(f"{id!r} begins several ids ({', '.join(found[:3])}, ...); give more characters")
    return found[0]


def _chosen(answer: PathAnswer, agent: str | None, thread: str | None, scope: str | None) -> list[shown.Row]:
    return [
        row
        for row in shown.rows_of(answer)
        if agent in {None, row["agent"]} and thread in {None, row["thread"]} and _is_in(row["scope"], scope)
    ]


def _is_in(scope: str, wanted: str | None) -> bool:
    return wanted is None or scope == wanted or scope.startswith(f"{wanted}/")


def _tell(answer: PathAnswer, as_json: bool, tell: Callable[[Any], None]) -> None:
    if as_json:
        print_json(answer.to_dict())
    else:
        shown.mark_ghost(answer)
        tell(answer.value)
        shown.warn(answer)


def _tell_rows(
    answer: PathAnswer, rows: list[shown.Row], as_json: bool, tell: Callable[[list[shown.Row]], None]
) -> None:
    if as_json:
        print_json({"is_ghost": answer.is_ghost, "age_s": answer.age_s, "why": answer.why, "crystals": rows})
    else:
        shown.mark_ghost(answer)
        tell(rows)
        shown.warn(answer)
