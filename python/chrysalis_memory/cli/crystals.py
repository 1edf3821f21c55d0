"""How crystals look: tables, a tree and panels on a terminal, lines with tabs in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from chrysalis_memory.cli.output import (
    age,
    console,
    counted,
    for_people,
    local,
    one_line,
    print_row,
    printable,
    say,
    short_id,
)
from chrysalis_memory.context import ContextWindow, StateCrystal
from chrysalis_memory.errors import Malformed
from chrysalis_memory.ghost.staleness import GHOST_PREFIX, in_words
from chrysalis_memory.paths import PathAnswer
from chrysalis_memory.records import ImportProblem, from_ms, to_ms

_ID_CHARACTERS = 16
_TASK_CHARACTERS = 60
_PREFIX = "crystal-"

# A chain of checkpoints may be long; further in there would be no room for words.
_DRAWN_LEVELS_MAX = 10

Row = dict[str, Any]

_MAYBE_TEXT = (str, type(None))
_SHAPE: dict[str, tuple[type, ...]] = {
    "crystal_id": (str,),
    "agent": (str,),
    "task": (str,),
    "scope": (str,),
    "tokens": (int,),
    "level": (int,),
    "pinned": (bool,),
    **dict.fromkeys(("timestamp", "expires_at", "parent_crystal", "branch_reason", "thread", "problem"), _MAYBE_TEXT),
}
_TIMES = {"timestamp", "expires_at"}


def mark_ghost(answer: PathAnswer, *, to_errors: bool = False) -> None:
    """Says that what follows is not live, and why: before it on a terminal, beside it in a pipe."""
    if not answer.is_ghost:
        return
    old = f"{in_words(answer.age_s)} old" if answer.age_s >= 0 else "from the future"
    line = one_line(f"{old}: {answer.why}")
    if for_people() and not to_errors:
        console().print(Text.assemble((GHOST_PREFIX, "bold yellow"), f" {line}\n"))
    else:
        sys.stderr.write(f"{GHOST_PREFIX} {line}\n")


def warn(answer: PathAnswer) -> None:
    """Says what went wrong beside the answer."""
    for warning in answer.warnings:
        say_of_trouble(warning)


def rows_of(answer: PathAnswer) -> list[Row]:
    """The crystals of a map; of one that another program wrote only what is as it should be."""
    found = answer.value.get("crystals") if isinstance(answer.value, dict) else None
    if not isinstance(found, list):
        raise Malformed("the last known map lists no crystals", hint="`chrysalis ghost clear` takes it away.")
    return [row for row in found if isinstance(row, dict) and all(_is(row, *one) for one in _SHAPE.items())]


def _is(row: Row, name: str, kinds: tuple[type, ...]) -> bool:
    value = row.get(name)
    if name in _TIMES and isinstance(value, str):
        try:
            to_ms(value)
        except ValueError:
            return False
    return isinstance(value, kinds)


def left_out(problems: Sequence[ImportProblem]) -> None:
    """Says on standard error which records of a transcript could not be used."""
    if problems:
        first = problems[0]
        where = f"line {first.line}: " if first.line else ""
        say_of_trouble(f"{counted(len(problems), 'record')} left out; the first: {where}{first.what}")


def say_of_trouble(words: str) -> None:
    """A warning on standard error."""
    Console(stderr=True, highlight=False).print(Text.assemble(("warning: ", "yellow"), one_line(words)))


def saved(crystal: StateCrystal, window: ContextWindow) -> None:
    """What became of a window."""
    if not for_people():
        print_row(crystal.crystal_id)
        return
    console().print(Text.assemble("saved ", (_id(crystal.crystal_id), "bold")))
    before, after = window.tokens(), crystal.window.tokens()
    turns = counted(len(window), "turn")
    tokens = f"{before:,} tokens" if after >= before else f"{before:,} tokens to {after:,}"
    console().print(Text(f"{turns}, {tokens}; {_life(crystal)}", style="dim"))
    if crystal.focus_fragments:
        kept = counted(len(crystal.focus_fragments), "turn")
        console().print(Text(f"{kept} word for word ({crystal.focus_tokens:,} tokens)", style="dim"))
    if crystal.warning:
        console().print(Text.assemble(("warning: ", "yellow"), printable(crystal.warning)))


def made(crystal: StateCrystal) -> None:
    """A new branch."""
    if for_people():
        parent, reason = _id(crystal.parent_crystal or ""), one_line(crystal.branch_reason or "")
        console().print(Text.assemble((_id(crystal.crystal_id), "bold"), f" branches from {parent}: {reason}"))
    else:
        print_row(crystal.crystal_id)


def kept(crystal: StateCrystal) -> None:
    """A cherished crystal."""
    _changed(crystal.crystal_id, "stays")


def composted(identity: str) -> None:
    """A crystal that was let go."""
    _changed(identity, "is composted")


def _changed(identity: str, what: str) -> None:
    if for_people():
        console().print(Text(f"{_id(identity)} {what}"))
    else:
        print_row(identity)


def whole(crystal: StateCrystal) -> None:
    """All of a crystal."""
    if not for_people():
        for name, value in crystal.to_dict().items():
            if value not in (None, "", [], {}) and name != "window":
                print_row(name, json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value)
        return
    console().print(_facts(crystal))
    _section("summary", crystal.history_summary)
    for fragment in crystal.focus_fragments:
        _section(f"word for word, turn {fragment.position} ({one_line(fragment.hint)})", fragment.content)


def _section(title: str, words: str) -> None:
    if words:
        console().print(Text(f"\n{title}", style="cyan"))
        console().print(Padding(Text(printable(words)), (0, 2)))


def _facts(crystal: StateCrystal) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", justify="right")
    table.add_column(overflow="fold")
    task = crystal.task_state
    parent = f"{_id(crystal.parent_crystal)}, {crystal.branch_depth} deep" if crystal.parent_crystal else ""
    size = f"{len(crystal.window)} turns, {crystal.window.tokens():,} tokens"
    rows = [
        ("crystal", crystal.crystal_id),
        ("agent", crystal.agent),
        ("made", f"{local(crystal.timestamp)}, {_life(crystal)}"),
        ("task", f"{task.task} ({task.status})" if task.task else ""),
        *(("done" if place == 0 else "", step) for place, step in enumerate(task.done)),
        *(("next" if place == 0 else "", step) for place, step in enumerate(task.next_steps)),
        *((f"{key}:", _value(value)) for key, value in crystal.working_memory.items()),
        ("thread", crystal.thread or ""),
        ("goes on from", parent),
        ("branch", crystal.branch_reason or ""),
        ("window", f"{size}; summary {crystal.summary_tokens:,}, word for word {crystal.focus_tokens:,}"),
        ("warning", crystal.warning or ""),
    ]
    for name, value in rows:
        if value:
            table.add_row(Text(one_line(name)), Text(printable(value)))
    return table


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def table(rows: list[Row]) -> None:
    """A row for each crystal."""
    if not for_people():
        for row in rows:
            print_row(row["crystal_id"], row["timestamp"] or "", row["agent"], row["tokens"], _what(row))
        return
    if not rows:
        say("[yellow]no crystals[/]: `chrysalis context save` makes one")
        return
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    drawn.add_column("crystal", no_wrap=True)
    drawn.add_column("age", justify="right", style="dim", no_wrap=True)
    drawn.add_column("agent", style="cyan")
    drawn.add_column("tokens", justify="right")
    drawn.add_column("life", no_wrap=True)
    drawn.add_column("what")
    for row in rows:
        tokens = f"{row['tokens']:,}"
        drawn.add_row(_id(row["crystal_id"]), _age(row), Text(one_line(row["agent"])), tokens, _left(row), _words(row))
    console().print(drawn)


def tree(rows: list[Row]) -> None:
    """The rows, parents before children, as a tree."""
    if not for_people():
        for row in rows:
            print_row(
                row["level"], row["crystal_id"], row["parent_crystal"] or "", row["branch_reason"] or "", row["task"]
            )
        return
    if not rows:
        say("[yellow]no crystals[/]: `chrysalis context save` makes one")
        return
    roots: list[Tree] = []
    line: list[Tree] = []
    for row in rows:
        # A parent that a filter left out must not keep its children from being drawn.
        line = line[: min(row["level"], _DRAWN_LEVELS_MAX)]
        node = line[-1].add(_label(row)) if line else Tree(_label(row), guide_style="dim")
        if not line:
            roots.append(node)
        line.append(node)
    for root in roots:
        console().print(root)


def _label(row: Row) -> Text:
    label = Text(no_wrap=True, overflow="ellipsis")
    if row["level"] > _DRAWN_LEVELS_MAX:
        label.append(f"{row['level']} deep  ", style="dim")
    label.append(_id(row["crystal_id"]), style="bold")
    if row["branch_reason"]:
        label.append(f"  {one_line(row['branch_reason'])}", style="yellow")
    label.append(f"  {one_line(row['task'])}"[: _TASK_CHARACTERS + 2] if row["task"] else "")
    label.append(f"  {one_line(row['agent'])}, {_age(row)}", style="dim")
    label.append("  ").append_text(_left(row))
    return label.append(f"  {one_line(row['problem'])}" if row["problem"] else "", style="red")


def _what(row: Row) -> str:
    return row["problem"] or " | ".join(part for part in (row["branch_reason"], row["task"]) if part)


def _words(row: Row) -> Text:
    if row["problem"]:
        return Text(one_line(row["problem"]), style="red")
    reason = f"{one_line(row['branch_reason'])}: " if row["branch_reason"] else ""
    return Text.assemble((reason, "yellow"), (one_line(row["task"]) or "no task", "" if row["task"] else "dim"))


def _id(identity: str) -> str:
    """What one types: enough of it to be the only one, without the beginning that all have."""
    if identity.startswith(_PREFIX):
        return one_line(identity[len(_PREFIX) :][:_ID_CHARACTERS])
    return short_id(identity)


def _age(row: Row) -> str:
    return age(_moment(row["timestamp"])) if row["timestamp"] else ""


def _left(row: Row) -> Text:
    if row["expires_at"] is None:
        return Text("cherished" if row["pinned"] else "", style="green")
    left_s = (_moment(row["expires_at"]) - datetime.now(timezone.utc)).total_seconds()
    return Text(f"{_about(left_s)} left" if left_s > 0 else "faded", style="dim")


def _life(crystal: StateCrystal) -> str:
    if crystal.pinned:
        return "cherished"
    fades_at = crystal.timestamp + crystal.ttl
    return f"{'faded' if crystal.is_expired() else 'fades'} {local(fades_at)}"


def _about(seconds: float) -> str:
    """A length of time in its largest unit, rounded up to minutes: what was just made for a day has a day left."""
    return " ".join(in_words(seconds + 60).split()[:2])


def _moment(text: str) -> datetime:
    return from_ms(to_ms(text))
