"""Printing: for people on a terminal, plain lines for a pipe, JSON for programs.

Words in memories come from anywhere. On a terminal they are shown without control characters, so that no memory can
move the cursor, change colours or hide what stands before it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import typer

if TYPE_CHECKING:
    from rich.console import Console


class HasDict(Protocol):
    """Anything with a JSON form."""

    def to_dict(self) -> dict[str, Any]: ...


@cache
def console() -> Console:
    """Standard output; coloured on a terminal only."""
    from rich.console import Console

    return Console(highlight=False)


def for_people() -> bool:
    """Whether standard output is a terminal, where tables are read by people."""
    return console().is_terminal


def print_json(value: Any) -> None:
    """One JSON document; indented on a terminal."""
    _write(_json(value, indent=2 if for_people() else None))


def print_json_lines(values: Iterable[HasDict]) -> None:
    """A JSON document a line."""
    for value in values:
        _write(_json(value.to_dict()))


def _json(value: Any, indent: int | None = None) -> str:
    """JSON says characters that steer a terminal by their numbers; of them it leaves only lines of its own."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return "".join(f"\\u{ord(letter):04x}" if _steers(letter) else letter for letter in text)


def print_row(*cells: object) -> None:
    """One line of cells between tabs, for `cut`, `awk` and `grep`."""
    _write("\t".join(one_line(str(cell)) for cell in cells))


def say(text: str) -> None:
    """A short sentence for people, with Rich markup; left out in a pipe."""
    if for_people():
        console().print(text)


def confirm(question: str) -> None:
    """Asks before what can't be undone, and ends the command unless the answer is yes. Without a terminal there is
    nobody to ask.
    """
    if not sys.stdin.isatty():
        raise ValueError("this can't be undone, and there is no terminal to ask on: add --yes")
    typer.confirm(question, abort=True, err=True)


def _write(line: str) -> None:
    sys.stdout.write(line.encode("utf-8", "replace").decode("utf-8") + "\n")


def printable(text: str) -> str:
    """The text without characters that steer a terminal or reorder what it shows.

    >>> printable("a\\x1b[31mb\\u202ec\\r\\n")
    'a\ufffd[31mb\ufffdc\ufffd\\n'
    """
    return "".join("\ufffd" if _steers(character) else character for character in text)


def _steers(character: str) -> bool:
    if character in "\n\t":
        return False
    code = ord(character)
    is_control = code < 0x20 or 0x7F <= code < 0xA0
    return is_control or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"


def in_markup(text: str) -> str:
    """The text for a sentence with Rich markup: what looks like markup in it stays as it is.

    >>> in_markup("[bold]a\\x1b[/]")
    '\\\\[bold]a\ufffd\\\\[/]'
    """
    from rich.markup import escape

    return escape(printable(text))


def one_line(text: str) -> str:
    """The text on one line, without control characters."""
    return printable(" ".join(text.split()))


def short_id(identity: str) -> str:
    """Ids of digits and hex are shown by their beginning, names in full.

    >>> short_id("95c7b9b3b5542bda774ab912df5d829a"), short_id("first-date")
    ('95c7b9b3b554', 'first-date')
    """
    is_digest = len(identity) >= 24 and not set(identity.lower()) - set("0123456789abcdef-")
    return identity[:12] if is_digest else one_line(identity)


def bold_id(identity: str) -> str:
    """The short id as Rich markup."""
    from rich.markup import escape

    return f"[bold]{escape(short_id(identity))}[/]"


def age(moment: datetime) -> str:
    """How long ago, in the largest fitting unit."""
    seconds = (datetime.now(timezone.utc) - moment).total_seconds()
    if seconds < 0:
        return _here(moment).strftime("%Y-%m-%d")
    for unit, size in (("y", 365 * 86400), ("w", 7 * 86400), ("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def local(moment: datetime | None) -> str:
    """Date and time on this machine's clock."""
    return _here(moment).strftime("%Y-%m-%d %H:%M") if moment else ""


def _here(moment: datetime) -> datetime:
    """The moment on this machine's clock; in UTC where that ends, since anyone may date a memory to the end of time."""
    try:
        return moment.astimezone()
    except OverflowError:
        return moment


def size(count: int) -> str:
    """Bytes for people.

    >>> size(900), size(1536), size(5 << 20)
    ('900 B', '1.5 KiB', '5.0 MiB')
    """
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "memory"), counted(2, "memory"), counted(0, "operation")
    ('1 memory', '2 memories', '0 operations')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Shows on a terminal that something long is under way, and for how long; says nothing in a pipe.

    What it yields takes words that say how far it is.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda how_far: progress.update(task, description=f"{what}: {how_far}")
