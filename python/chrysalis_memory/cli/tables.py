"""How memories look: tables and panels on a terminal, lines with tabs in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chrysalis_memory import Memory
from chrysalis_memory.cli.output import (
    age,
    bold_id,
    console,
    for_people,
    local,
    one_line,
    print_row,
    printable,
    say,
    short_id,
)
from chrysalis_memory.records import Conflict, Hit, Recall, Revision, iso

_CONTENT_SHOWN = 400


def show_recall(found: Recall) -> None:
    """The hits, best first, with the reason for each; then what the answer could not take into account."""
    if not for_people():
        for rank, hit in enumerate(found, 1):
            print_row(rank, f"{hit.score:.3f}", hit.memory.id, hit.memory.content, hit.why)
        return
    if not found:
        say("[yellow]nothing fits[/]")
    else:
        console().print(_hits(found))
    for reason in found.outcome.reasons:
        console().print(Text.assemble(("incomplete: ", "yellow"), printable(reason)))


def _hits(found: Recall) -> Table:
    table = _table()
    table.add_column("", justify="right", style="dim")
    table.add_column("score", justify="right")
    table.add_column("age", justify="right", style="dim", no_wrap=True)
    table.add_column("memory", ratio=1)
    for rank, hit in enumerate(found, 1):
        happened = hit.memory.occurred_at or hit.memory.created_at
        table.add_row(str(rank), _score(hit), age(happened), _content(hit.memory, hit.why))
    return table


def show_explained(found: Recall, *, ranking: str = "default") -> None:
    """The hits with what each kind of evidence added to their scores, and how long each step took."""
    if not for_people():
        for rank, hit in enumerate(found, 1):
            parts = [f"{name}={value:.3f}" for name, value in hit.parts.items() if value]
            print_row(rank, f"{hit.score:.3f}", hit.memory.id, hit.memory.content, hit.why, *parts)
        return
    show_recall(found)
    if found:
        console().print(_parts(found))
        console().print(Text(_how_scored(found[0].score, ranking), style="dim"))
    console().print(Text(_took(found.stages), style="dim"))


def _parts(found: Recall) -> Table:
    """A column for each kind of evidence that added something to some hit; the most of each hit stands out."""
    names = [name for name in found[0].parts if any(hit.parts[name] for hit in found)]
    table = _table(expand=False)
    table.add_column("", justify="right", style="dim")
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("sum", justify="right", style="bold")
    table.add_column("score", justify="right")
    for rank, hit in enumerate(found, 1):
        most = max(hit.parts.values())
        parts = [_part(hit.parts[name], hit.parts[name] == most) for name in names]
        table.add_row(str(rank), *parts, f"{sum(hit.parts.values()):.2f}", _score(hit))
    return table


def _part(value: float, is_most: bool) -> Text:
    return Text(f"{value:.2f}", style="green" if is_most else "") if value else Text("·", style="dim")


def _how_scored(best: float, ranking: str) -> str:
    if ranking != "default":
        return f"score: what the ranking {ranking!r} makes of how well each fits, and of more"
    return f"score: {best:.2f}, how likely the first is an answer, times sum / first sum"


def _took(stages: Mapping[str, float]) -> str:
    """What the steps took, without those that took next to nothing."""
    took = {name.replace("_", " "): seconds * 1e3 for name, seconds in stages.items()}
    steps = ", ".join(f"{name} {spent_ms:.1f}" for name, spent_ms in took.items() if spent_ms >= 0.1)
    return f"took {sum(took.values()):.1f} ms" + (f": {steps}" if steps else "")


def _score(hit: Hit) -> Text:
    style = "bold green" if hit.score >= 0.66 else "yellow" if hit.score >= 0.33 else "dim"
    return Text(f"{hit.score:.2f}", style=style)


def show_list(found: Sequence[Memory]) -> None:
    """A row for each memory."""
    if not for_people():
        for memory in found:
            print_row(memory.id, iso(memory.created_at), memory.memory_type, memory.content)
        return
    if not found:
        say("[yellow]nothing here[/]")
        return
    table = _table()
    table.add_column("age", justify="right", style="dim", no_wrap=True)
    table.add_column("type", style="cyan", no_wrap=True)
    table.add_column("memory", ratio=1)
    for memory in found:
        table.add_row(
            age(memory.occurred_at or memory.created_at), Text(one_line(memory.memory_type)), _content(memory)
        )
    console().print(table)


def _content(memory: Memory, why: str = "") -> Group:
    words = printable(memory.content.strip())
    shown = words if len(words) <= _CONTENT_SHOWN else f"{words[:_CONTENT_SHOWN].rstrip()} ..."
    details = [short_id(memory.id)]
    if memory.speaker:
        details.append(one_line(memory.speaker))
    details.extend(f"#{one_line(tag)}" for tag in memory.tags)
    below = Text("  ".join(details), style="dim")
    reasons = [Text(one_line(why), style="dim italic")] if why else []
    return Group(Text(shown), below, *reasons)


def show_memory(memory: Memory, conflicts: Mapping[str, Sequence[Conflict]]) -> None:
    """Everything about one memory."""
    if not for_people():
        for name, value in memory.to_dict().items():
            if value not in (None, "", [], {}):
                print_row(name, value)
        return
    console().print()
    console().print(Padding(Text(printable(memory.content)), (0, 2)))
    console().print()
    console().print(_facts(memory))
    for name, values in conflicts.items():
        console().print(Padding(_conflict(name, values), (1, 2, 0, 2)))


def _facts(memory: Memory) -> Padding:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", justify="right")
    table.add_column(overflow="fold")
    for name, value in _rows(memory):
        if value:
            table.add_row(Text(one_line(name)), Text(printable(value)))
    return Padding(table, (0, 2))


def _rows(memory: Memory) -> list[tuple[str, str]]:
    held = " to ".join(filter(None, (local(memory.valid_from) or "", local(memory.valid_until) or "")))
    return [
        ("id", memory.id),
        ("type", f"{memory.memory_type}, {memory.tier.replace('_', ' ')}"),
        ("scope", memory.scope),
        ("tags", ", ".join(memory.tags)),
        ("said by", memory.speaker or ""),
        ("thread", memory.thread or ""),
        ("happened", local(memory.occurred_at)),
        ("written", f"{local(memory.created_at)} by {memory.agent_id}"),
        ("changed", local(memory.updated_at) if memory.updated_at != memory.created_at else ""),
        ("valid", held),
        ("expires", local(memory.expires_at)),
        (
            "importance",
            f"{memory.importance:.2f}, confidence {memory.confidence:.2f}, used {memory.access_count} times",
        ),
        ("follows from", ", ".join(memory.parents)),
        ("related to", ", ".join(memory.related)),
        ("evidence", ", ".join(memory.evidence)),
        *((f"{key}:", str(value)) for key, value in memory.metadata.items()),
        ("author", memory.author),
        ("fingerprint", memory.fingerprint),
        ("signature", memory.signature),
    ]


def _conflict(name: str, values: Sequence[Conflict]) -> Text:
    text = Text(
        f"{name} was written by several at once; these values did not win, until an edit settles it:", style="yellow"
    )
    for value in values:
        text.append(f"\n  {value.author[:12]}  {local(value.at)}  ", style="dim")
        text.append(one_line(str(value.value)), style="default")
    return text


def show_history(identity: str, revisions: Sequence[Revision]) -> None:
    """A row for each signed operation, in causal order."""
    if not for_people():
        for revision in revisions:
            print_row(
                revision.lamport, iso(revision.at), revision.agent_id, revision.kind, revision.state, _what(revision)
            )
        return
    table = _table()
    table.add_column("time", justify="right", style="dim")
    table.add_column("when", style="dim", no_wrap=True)
    table.add_column("who", style="cyan", no_wrap=True)
    table.add_column("what", ratio=1)
    table.add_column("state", style="dim", no_wrap=True)
    table.add_column("operation", style="dim", no_wrap=True)
    for revision in revisions:
        table.add_row(
            str(revision.lamport),
            local(revision.at),
            Text(one_line(revision.agent_id)),
            Text(_what(revision)),
            Text("" if revision.state == "live" else revision.state),
            revision.fingerprint[:12],
        )
    say(f"history of {bold_id(identity)}")
    console().print(table)


def _what(revision: Revision) -> str:
    said = [f"{_NAMES.get(name, name)}: {_value(value)}" for name, value in revision.changes.items() if value]
    kind = [] if revision.kind == "write" else [revision.kind]
    return "; ".join([*kind, *said]) or revision.kind


_NAMES = {"add_tags": "tags added", "remove_tags": "tags removed", "memory_type": "type", "occurred_at": "happened"}


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return local(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(str(key))}={one_line(str(inner))}" for key, inner in value.items())
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    shown = one_line(text)
    return shown if len(shown) <= _CONTENT_SHOWN else f"{shown[:_CONTENT_SHOWN]} ..."


def _table(*, expand: bool = True) -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=expand, header_style="dim")
