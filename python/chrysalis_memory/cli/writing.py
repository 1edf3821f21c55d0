"""Commands that write: remember, update, forget."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import typer

from chrysalis_memory import Memory
from chrysalis_memory.cli import options
from chrysalis_memory.cli.opening import find, open_to_write, require_store
from chrysalis_memory.cli.options import DEFAULT_AGENT, Agent, Id, Json, Space, Store, given
from chrysalis_memory.cli.output import (
    bold_id,
    confirm,
    counted,
    for_people,
    one_line,
    print_json,
    print_row,
    say,
    short_id,
)
from chrysalis_memory.records import Receipt

_PANEL: Final = "Write"
_DETAILS: Final = "Details"

Tags = Annotated[list[str] | None, typer.Option("--tag", "-t", help="A tag; repeat for several.")]
Importance = Annotated[float | None, typer.Option(min=0, max=1, help="How much it matters, 0 to 1.")]
Confidence = Annotated[float | None, typer.Option(min=0, max=1, help="How sure it is, 0 to 1.")]
Meta = Annotated[list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Metadata; repeat for several.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (remember, update, forget):
        app.command(rich_help_panel=_PANEL, no_args_is_help=command is not remember)(command)


def remember(
    content: Annotated[str | None, typer.Argument(help="What to remember; - or nothing: read standard input.")] = None,
    *,
    lines: Annotated[bool, typer.Option("--lines", help="Each line of the input is a memory of its own.")] = False,
    tag: Tags = None,
    memory_type: Annotated[str | None, typer.Option("--type", help="episodic, semantic, decision, ...")] = None,
    importance: Importance = None,
    confidence: Confidence = None,
    working: Annotated[bool, typer.Option("--working", help="Working tier: fades unless promoted.")] = False,
    id: Annotated[str | None, typer.Option(help="An id of your own.", rich_help_panel=_DETAILS)] = None,
    scope: Annotated[str | None, typer.Option(help="A path such as project/api.", rich_help_panel=_DETAILS)] = None,
    thread: Annotated[str | None, typer.Option(help="The conversation it is from.", rich_help_panel=_DETAILS)] = None,
    speaker: Annotated[str | None, typer.Option(help="Who said it.", rich_help_panel=_DETAILS)] = None,
    at: Annotated[str | None, typer.Option(help="When it happened.", rich_help_panel=_DETAILS)] = None,
    ttl: Annotated[str | None, typer.Option(help="Forget it after 30m, 24h, 7d.", rich_help_panel=_DETAILS)] = None,
    parent: Annotated[list[str] | None, typer.Option(help="Id it follows from.", rich_help_panel=_DETAILS)] = None,
    related: Annotated[list[str] | None, typer.Option(help="Id it has to do with.", rich_help_panel=_DETAILS)] = None,
    evidence: Annotated[list[str] | None, typer.Option(help="Id that supports it.", rich_help_panel=_DETAILS)] = None,
    meta: Meta = None,
    store: Store = None,
    agent: Agent = DEFAULT_AGENT,
    space: Space = None,
    json: Json = False,
) -> None:
    """Store words as they are said, on disk when this returns.

    [bold]Examples[/bold]

      chrysalis remember "Ines cannot tell red from green" --type preference --tag design

      cat notes.txt | chrysalis remember - --thread meeting

      git log --format=%s -5 | chrysalis remember --lines --tag commit
    """
    details = given(
        id=id,
        tags=tag,
        memory_type=memory_type,
        importance=importance,
        confidence=confidence,
        tier="working" if working else None,
        scope=scope,
        thread=thread,
        speaker=speaker,
        occurred_at=options.moment(at) if at else None,
        ttl=options.duration(ttl) if ttl else None,
        parents=parent,
        related=related,
        evidence=evidence,
        metadata=options.metadata(meta),
    )
    texts = _texts(content, lines)
    with open_to_write(store, space, agent) as memory:
        kept = memory.remember_many([{"content": text, **details} for text in texts])
    _show_kept(kept, json, single=not lines)


def _texts(content: str | None, lines: bool) -> list[str]:
    text = _standard_input() if content is None or content == "-" else content
    texts = [line for line in text.splitlines() if line.strip()] if lines else [text]
    if not texts or not texts[0].strip():
        raise ValueError("there is nothing to remember: the content is empty")
    return texts


def _standard_input() -> str:
    if sys.stdin.isatty():
        raise ValueError('say what to remember: chrysalis remember "...", or pipe text into it')
    try:
        return sys.stdin.buffer.read().decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"the input is no UTF-8 text (byte {error.start})") from None


def _show_kept(kept: list[Memory], json: bool, single: bool) -> None:
    if json:
        print_json(kept[0].to_dict() if single else [memory.to_dict() for memory in kept])
    elif for_people():
        for memory in kept:
            say(f"[green]remembered[/] {bold_id(memory.id)}")
    else:
        for memory in kept:
            print_row(memory.id)


def update(
    id: Id,
    content: Annotated[str | None, typer.Argument(help="The new words; - reads standard input.")] = None,
    *,
    tag: Annotated[list[str] | None, typer.Option("--tag", "-t", help="Add a tag; repeat for several.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="Remove a tag; repeat for several.")] = None,
    memory_type: Annotated[str | None, typer.Option("--type", help="Change the type.")] = None,
    importance: Importance = None,
    confidence: Confidence = None,
    keep: Annotated[bool, typer.Option("--keep", help="Promote from working to long term.")] = False,
    scope: Annotated[str | None, typer.Option(help="Move to another scope.")] = None,
    meta: Meta = None,
    store: Store = None,
    agent: Agent = DEFAULT_AGENT,
    space: Space = None,
    json: Json = False,
) -> None:
    """Change a memory; what it said before stays in its history.

    [bold]Examples[/bold]

      chrysalis update 95c7 "Tidewatch goes live on 18 May" --tag correction

      chrysalis update 95c7 --importance 0.9 --untag draft
    """
    changes = given(
        content=_standard_input() if content == "-" else content,
        add_tags=tag,
        remove_tags=untag,
        memory_type=memory_type,
        importance=importance,
        confidence=confidence,
        scope=scope,
        metadata=options.metadata(meta),
    )
    if keep:
        changes |= {"tier": "long_term", "ttl": None}
    if not changes:
        raise ValueError("there is nothing to change: give new words or an option")
    require_store(store)
    with open_to_write(store, space, agent) as memory:
        changed = memory.update(find(memory, id).id, **changes)
    if json:
        print_json(changed.to_dict())
    elif for_people():
        say(f"[green]updated[/] {bold_id(changed.id)}, version {changed.version}")
    else:
        print_row(changed.id)


def forget(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of memories, or their beginnings.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the log, so do not repeat the secret.")] = "",
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Refuse the same words under any id from now on.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: Store = None,
    agent: Agent = DEFAULT_AGENT,
    space: Space = None,
    json: Json = False,
) -> None:
    """Erase the words of memories for good; the signed chain still verifies.

    [bold]Examples[/bold]

      chrysalis forget secret --reason "a password" --withdraw

      chrysalis list --tag draft --jsonl | jq -r .id | xargs chrysalis forget --yes
    """
    require_store(store)
    with open_to_write(store, space, agent) as memory:
        wanted = [find(memory, identity) for identity in ids]
        if not yes:
            _ask(wanted)
        arguments: dict[str, Any] = {**given(reason=reason or None), "withdraw": withdraw}
        receipts = [memory.forget(item.id, **arguments) for item in wanted]
    if json:
        print_json([receipt.to_dict() for receipt in receipts])
        return
    for receipt in receipts:
        _show_receipt(receipt)


def _ask(memories: list[Memory]) -> None:
    words = "\n".join(f"  {short_id(memory.id)}  {one_line(memory.content)[:80]}" for memory in memories)
    confirm(f"{words}\nErase these words for good?")


def _show_receipt(receipt: Receipt) -> None:
    if not for_people():
        print_row(receipt.id, receipt.operations)
        return
    waiting = f"; {counted(len(receipt.pending), 'replica')} did not confirm yet" if receipt.pending else ""
    say(f"[green]forgotten[/] {bold_id(receipt.id)}: {counted(receipt.operations, 'operation')} emptied{waiting}")
