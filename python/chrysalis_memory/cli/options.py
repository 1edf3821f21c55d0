"""Options that many commands share, each said once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from chrysalis_memory.records import from_ms, to_ms

_WHERE: Final = "Where"
_FILTERS: Final = "Filters"

Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        envvar="CHRYSALIS_STORE",
        show_default="this user's data folder",
        help="Folder of the store.",
        rich_help_panel=_WHERE,
    ),
]
GhostFolder = Annotated[
    Path | None,
    typer.Option(
        "--ghost",
        envvar="CHRYSALIS_GHOST",
        show_default="beside the default store",
        help="Folder of the ghost.",
        rich_help_panel=_WHERE,
    ),
]
Agent = Annotated[str, typer.Option(envvar="CHRYSALIS_AGENT", help="In whose name to write.", rich_help_panel=_WHERE)]
Space = Annotated[
    str | None,
    typer.Option(
        envvar="CHRYSALIS_SPACE",
        show_default="the one that the store keeps",
        help="The space that the store belongs to.",
        rich_help_panel=_WHERE,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print a JSON document for each memory, a line each.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a memory, or its beginning (4 characters or more).")]

ScopeFilter = Annotated[str | None, typer.Option("--scope", help="Only in this scope.", rich_help_panel=_FILTERS)]
TierFilter = Annotated[
    Literal["working", "long_term"] | None, typer.Option("--tier", help="Only of this tier.", rich_help_panel=_FILTERS)
]
TypeFilter = Annotated[str | None, typer.Option("--type", help="Only of this type.", rich_help_panel=_FILTERS)]
TagFilter = Annotated[
    list[str] | None, typer.Option("--tag", help="Only with this tag; repeat for several.", rich_help_panel=_FILTERS)
]
ThreadFilter = Annotated[str | None, typer.Option("--thread", help="Only of this thread.", rich_help_panel=_FILTERS)]

DEFAULT_AGENT: Final = "cli"

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """A length of time such as `90s`, `30m`, `24h`, `7d` or `2w`.

    >>> duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,3})?)\s*([smhdw])\s*", text.lower())
    if match is None:
        raise ValueError(f"{text!r} is no length of time, such as 30m, 24h, 7d or 2w")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def moment(text: str) -> datetime:
    """A time such as `2026-03-01`, `2026-03-01T12:00Z`, or `7d` for seven days ago.

    >>> moment("2026-03-01T12:00Z").isoformat()
    '2026-03-01T12:00:00+00:00'
    """
    try:
        return datetime.now(timezone.utc) - duration(text)
    except (ValueError, OverflowError):
        return from_ms(to_ms(text))


def threshold(text: str) -> Any:
    """A threshold by name, or as a number.

    >>> threshold("strict"), threshold("0.4")
    ('strict', 0.4)
    """
    try:
        return float(text)
    except ValueError:
        return text


def metadata(pairs: list[str] | None) -> dict[str, Any] | None:
    """Metadata from `key=value` pairs; a value that is JSON is taken as JSON, any other as text.

    >>> metadata(["batch=4", "kiln=the large one"])
    {'batch': 4, 'kiln': 'the large one'}
    """
    if not pairs:
        return None
    from chrysalis_memory.importing.json_text import BadJson, parse

    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise ValueError(f"{pair!r} is no key=value")
        try:
            found[key] = parse(value)
        except BadJson:
            found[key] = value
    return found


def given(**arguments: Any) -> dict[str, Any]:
    """Only the arguments that the user gave, so that the library's own defaults hold for the others."""
    return {name: value for name, value in arguments.items() if value is not None and value != []}
