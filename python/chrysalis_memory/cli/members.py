"""Commands about who takes part in a space, and what members vote: found, invite, revoke, join, members, ..."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import typer
from rich.table import Table
from rich.text import Text

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.cli.failures import NOTHING
from chrysalis_memory.cli.opening import find, open_to_enter, open_to_read
from chrysalis_memory.cli.options import Id, Json, Store, duration
from chrysalis_memory.cli.output import (
    confirm,
    console,
    counted,
    for_people,
    in_markup,
    local,
    print_json,
    print_row,
    printable,
    say,
)
from chrysalis_memory.cli.sharing import Authorities, Plain, calling
from chrysalis_memory.errors import ChrysalisError, NotAllowed
from chrysalis_memory.records import Invitation, Member, iso
from chrysalis_memory.validation import Validation

PANEL: Final = "Share"

_CALL_S: Final = 15.0
_ID_CHARACTERS: Final = 64
_KEY_CHARACTERS: Final = 16  # of a key, where a whole one would fill the line


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (found, invite, revoke, join, members, remove, attest, validate):
        app.command(rich_help_panel=PANEL)(command)


def found(
    name: Annotated[str, typer.Argument(help="What the space is called.")],
    *,
    store: Store = None,
    json: Json = False,
) -> None:
    """Found a closed space: members only, and you its first administrator. Memories that are here come along.

    [bold]Examples[/bold]

      chrysalis found harbour --store team
    """
    with open_to_enter(store, space=name, closed=True) as memory:
        _tell_entered(memory, "founded", as_json=json)


def invite(
    *,
    role: Annotated[
        Literal["relay", "reader", "writer", "validator", "administrator"],
        typer.Option(help="What whoever joins may do; each role may all that those before it may."),
    ] = "writer",
    expires: Annotated[str, typer.Option(metavar="LENGTH", help="How long it holds: 30m, 24h, 7d, or never.")] = "24h",
    url: Annotated[
        list[str] | None,
        typer.Option("--url", help="Where a replica of the space listens (wss://host:port); repeat for several."),
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Print a token by which others join the space: one line, and a secret. Whoever has it may join until it expires.

    [bold]Examples[/bold]

      chrysalis invite --url wss://hub.example:4444 > token

      chrysalis invite --role reader --expires 7d
    """
    until = None if expires == "never" else duration(expires)
    with open_to_read(store, None) as memory:
        token = memory.invite(role, expires=until, urls=url or ())
        if json:
            print_json({"token": token, "space": memory.space, "role": role, "urls": url or []})
        else:
            typer.echo(token)


def revoke(
    invitation: Annotated[
        str, typer.Argument(metavar="TOKEN", help="What `chrysalis invite` printed, - to read it, or its id.")
    ],
    *,
    store: Store = None,
    json: Json = False,
) -> None:
    """Take an invitation back, before it is used or after: nobody else joins by it. Who has joined stays a member.

    `chrysalis members` shows the ids of open invitations; the beginning of one is enough.

    [bold]Examples[/bold]

      chrysalis revoke - < token

      chrysalis revoke 3f9a2c1b
    """
    with open_to_read(store, None) as memory:
        which, listed = _invitation(memory, _told(invitation)), _open_ids(memory)
        was_open = memory.revoke(which)
        ended = listed - _open_ids(memory)
    # Never the token itself, not even one that is void: a pipe may lead into a log.
    identity = ended.pop() if ended else which if len(which) == _ID_CHARACTERS else None
    if json:
        print_json({"id": identity, "revoked": True, "was_open": was_open})
    elif for_people():
        say("revoked: nobody else joins by it" if was_open else "it had been revoked before")
    else:
        print_row(identity or "token", "revoked" if was_open else "unchanged")


def _open_ids(memory: ChrysalisMemory) -> set[str]:
    return {one.id for one in memory.invitations()}


def _invitation(memory: ChrysalisMemory, given: str) -> str:
    """A token as it is, and the id that begins so."""
    used = (one.invitation for one in memory.members() if one.invitation)
    ids = _open_ids(memory) | set(used)
    fits = [one for one in ids if one.startswith(given.lower())]
    if len(fits) > 1:
        raise ValueError(f"{given!r} begins {len(fits)} ids; give more characters")
    return fits[0] if fits else given


def _told(token: str) -> str:
    """A token, from standard input if a dash stands for it: so it is in no history of commands."""
    from_input = token == "-"  # noqa: S105 - no secret, but the sign for standard input
    return (sys.stdin.readline() if from_input else token).strip()


def join(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="What `chrysalis invite` printed; - reads it.")],
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not call the addresses that the token names.")] = False,
    ca: Authorities = None,
    plain: Plain = False,
    store: Store = None,
    json: Json = False,
) -> None:
    """Join a space by a token. Memories that are here come along: they are said again there, without their history.

    Then the addresses that the token names are called once, and both sides exchange what they have. A store that is let
    in nowhere, because its token was taken back, joins again by another one.

    [bold]Examples[/bold]

      chrysalis join --store mine chrysalis1...

      chrysalis join --store mine - < token
    """
    with open_to_enter(store, invite=_told(token), sync_config=calling(ca, plain)) as memory:
        calls = [] if offline else [_call(memory, url) for url in memory.peers()]
        _must_be_in(calls)
        _tell_entered(memory, "joined", as_json=json, calls=calls)


@dataclass(frozen=True)
class _Call:
    """What came of calling an address."""

    url: str
    outcome: str
    exchanged: bool = False
    refusal: NotAllowed | None = None


def _call(memory: ChrysalisMemory, url: str) -> _Call:
    """Exchanges with an address. One that is away now will be called again by whoever syncs later."""
    try:
        came = memory.sync_once(url, timeout=_CALL_S).stored
        return _Call(url, f"exchanged, {counted(came, 'operation')} came", exchanged=True)
    except NotAllowed as error:
        return _Call(url, f"refused: {error}", refusal=error)
    except (ChrysalisError, ValueError) as error:
        return _Call(url, f"not reached, and will be called again: {error}")


def _must_be_in(calls: list[_Call]) -> None:
    """A refusal is the answer, unless another address let this store in. One that nobody answered is no refusal."""
    refusals = [call.refusal for call in calls if call.refusal is not None]
    if refusals and not any(call.exchanged for call in calls):
        raise refusals[0]


def _tell_entered(memory: ChrysalisMemory, what: str, *, as_json: bool, calls: Sequence[_Call] = ()) -> None:
    if as_json:
        print_json(
            {
                "space": memory.space,
                "role": memory.role,
                "key": memory.public_key,
                "brought_along": memory.brought_along,
                "peers": memory.peers(),
                "calls": {call.url: call.outcome for call in calls},
                "exchanged": any(call.exchanged for call in calls),
            }
        )
        return
    if not for_people():
        print_row(memory.public_key, memory.role, memory.space, memory.brought_along)
        for call in calls:
            print_row(call.url, call.outcome)
        return
    say(f"{what} {in_markup(memory.space)} as its {memory.role}")
    if memory.brought_along:
        say(f"{counted(memory.brought_along, 'memory')} came along, said anew without their history")
    for call in calls:
        say(f"{in_markup(call.url)}: {in_markup(call.outcome)}")
    if calls and not any(call.exchanged for call in calls):
        say("what is said here goes out when one of them is reached")


def members(*, store: Store = None, json: Json = False) -> None:
    """List who takes part in the space, in the order of joining, and the invitations of this replica that are open.

    [bold]Examples[/bold]

      chrysalis members

      chrysalis members --json
    """
    with open_to_read(store, None) as memory:
        found, invited = memory.members(), memory.invitations()
    if json:
        print_json({"members": [one.to_dict() for one in found], "invitations": [one.to_dict() for one in invited]})
    elif for_people():
        console().print(_table(found))
        if invited:
            console().print(_open_table(invited))
    else:
        for one in found:
            print_row(one.key, one.role, "removed" if one.removed else "member", ",".join(one.agents))
        for open_one in invited:
            until = "never" if open_one.expires_at is None else iso(open_one.expires_at)
            print_row(open_one.id, open_one.role, "invitation", until)


def _table(found: list[Member]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("key", "role", "joined", "agents", ""):
        table.add_column(heading)
    for one in found:
        note = "you" if one.you else "removed" if one.removed else ""
        key = f"{one.key[:_KEY_CHARACTERS]}…"
        agents = Text(printable(", ".join(one.agents)))
        table.add_row(key, one.role, local(one.joined_at), agents, note, style="dim" if one.removed else "")
    return table


def _open_table(invited: list[Invitation]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title="open invitations", title_justify="left")
    for heading in ("id", "role", "until", "joined"):
        table.add_column(heading)
    for one in invited:
        until = "never" if one.expires_at is None else local(one.expires_at)
        table.add_row(f"{one.id[:_KEY_CHARACTERS]}…", one.role, until, str(one.joined))
    return table


def remove(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Key of a member, or its beginning.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    store: Store = None,
    json: Json = False,
) -> None:
    """End a member's membership, everywhere and for good. What it has said until now stays; nothing later counts.

    [bold]Examples[/bold]

      chrysalis remove 3f9a2c1b --yes
    """
    with open_to_read(store, None) as memory:
        member = _member(memory, key)
        agents = f" ({printable(', '.join(member.agents))})" if member.agents else ""
        if not yes:
            confirm(f"Remove {member.key[:_KEY_CHARACTERS]}…{agents} for good?")
        was = memory.remove(member.key)
    if json:
        print_json({"key": member.key, "removed": True, "was_member": was})
    elif for_people():
        say(f"removed {member.key}" if was else f"{member.key} was no member any more")
    else:
        print_row(member.key, "removed" if was else "unchanged")


def _member(memory: ChrysalisMemory, given: str) -> Member:
    fits = [one for one in memory.members() if one.key.startswith(given.lower())]
    if len(fits) > 1:
        raise ValueError(f"{given!r} begins {len(fits)} keys; give more characters")
    if not fits:
        # The library knows how to say it.
        memory.remove(given)
        raise AssertionError("a key that no member has was removed")
    return fits[0]


def attest(
    id: Id,
    confidence: Annotated[float, typer.Argument(min=0, max=1, help="How sure you are of it, 0 to 1.")],
    *,
    store: Store = None,
    json: Json = False,
) -> None:
    """Vote on what a memory says now; a later vote replaces an earlier one. For validators and administrators.

    [bold]Examples[/bold]

      chrysalis attest first-date 0.9
    """
    with open_to_read(store, None) as memory:
        memory.attest(find(memory, id).id, confidence)
        _tell_votes(memory.validate(find(memory, id).id), as_json=json)


def validate(
    id: Id,
    *,
    threshold: Annotated[
        int | None, typer.Option(min=1, help="Votes that it takes.", show_default="more than two thirds of validators")
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Show the votes on a memory; exit code 1 unless enough validators stand behind it.

    [bold]Examples[/bold]

      chrysalis validate first-date

      chrysalis validate first-date --threshold 2 --json
    """
    with open_to_read(store, None) as memory:
        result = memory.validate(find(memory, id).id, threshold=threshold)
    _tell_votes(result, as_json=json)
    if not result.accepted:
        raise typer.Exit(NOTHING)


def _tell_votes(result: Validation, *, as_json: bool) -> None:
    if as_json:
        print_json(result.to_dict())
        return
    for name, value in _figures(result):
        print_row(name, value) if not for_people() else console().print(Text(f"{name:<14}{value}"))


def _figures(result: Validation) -> Iterator[tuple[str, Any]]:
    yield "accepted", "yes" if result.accepted else "no"
    yield "votes", f"{len(result.votes)} of {len(result.validators)}, {result.threshold} needed"
    for name in ("mean", "median", "trimmed_mean"):
        value = getattr(result, name)
        yield name.replace("_", " "), "-" if value is None else f"{value:.3f}"
    yield "missing", str(len(result.missing))
