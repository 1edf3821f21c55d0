"""The hub: running it, access tokens for its HTTP interface, and its audit log."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from rich.table import Table
from rich.text import Text

from chrysalis_memory.cli import options
from chrysalis_memory.cli.opening import require_store
from chrysalis_memory.cli.options import Json, Store
from chrysalis_memory.cli.output import console, counted, for_people, local, print_json, print_row, printable, say
from chrysalis_memory.cli.passphrase import passphrase
from chrysalis_memory.config import default_path
from chrysalis_memory.records import duration_to_ms

if TYPE_CHECKING:
    from chrysalis_memory.hub.access import AccessToken
    from chrysalis_memory.hub.running import Running

PANEL: Final = "Share"
_LISTEN: Final = "Listening"
_REACH: Final = "Beyond this machine: to be said in as many words"


def register(app: typer.Typer) -> None:
    """Add the hub and its group of commands to the application."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode="rich")
    group.callback()(hub)
    group.command("token")(make_token)
    group.command("tokens")(list_tokens)
    group.command("take-back")(take_back)
    app.add_typer(group, name="hub", rich_help_panel=PANEL)
    app.command(rich_help_panel=PANEL)(audit)


def hub(
    context: typer.Context,
    *,
    store: Store = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", rich_help_panel=_LISTEN)] = None,
    port: Annotated[
        int | None, typer.Option(help="Port of links (WebSocket); 0: one that is free.", rich_help_panel=_LISTEN)
    ] = None,
    http_port: Annotated[
        int | None, typer.Option(help="Port of HTTP; 0: one that is free.", rich_help_panel=_LISTEN)
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(help="PEM file with the certificate chain.", rich_help_panel=_LISTEN)
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option(help="PEM file with the certificate's key.", rich_help_panel=_LISTEN)
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Name of the closed space that is founded at the first start.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any other setting; repeat for several.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write the addresses here, as JSON, once the hub listens.")
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the settings, and where each comes from, and leave.")
    ] = False,
    open_space: Annotated[
        bool, typer.Option("--open-space", help="Keep an open space: whoever knows its name takes part.")
    ] = False,
    serve_open_space_beyond_loopback: Annotated[
        bool,
        typer.Option(
            "--serve-open-space-beyond-loopback",
            help="Let everybody who reaches the port read and write.",
            rich_help_panel=_REACH,
        ),
    ] = False,
    serve_without_tls_beyond_loopback: Annotated[
        bool,
        typer.Option(
            "--serve-without-tls-beyond-loopback",
            help="Let whoever stands on the way read along.",
            rich_help_panel=_REACH,
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready, on a terminal too.")] = False,
) -> None:
    """Run a hub: a replica that listens, for agents on this machine or elsewhere. Ends at Ctrl-C or SIGTERM.

    Settings come from flags, then from variables such as CHRYSALIS_HUB_PORT, then from the file, then from defaults.

    [bold]Examples[/bold]

      chrysalis hub --store /data/hub --space team

      chrysalis hub --store /data/hub --host 0.0.0.0 --tls-cert hub.pem --tls-key hub.key

      chrysalis hub --print-config --set requests_per_s=20
    """
    if context.invoked_subcommand is not None:
        return
    from chrysalis_memory.hub.sources import as_toml, gather

    flags: dict[str, Any] = {
        "host": host,
        "port": port,
        "http_port": http_port,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "space": space,
        "open_space": open_space or None,
        "serve_open_space_beyond_loopback": serve_open_space_beyond_loopback or None,
        "serve_without_tls_beyond_loopback": serve_without_tls_beyond_loopback or None,
    }
    settings, told = gather(flags | _pairs(set_ or []), os.environ, config)
    if print_config:
        sys.stdout.write(as_toml(settings, told))
        return
    from chrysalis_memory.hub.running import run

    path = store or default_path()
    run(
        path,
        settings,
        passphrase=passphrase(path),
        ready_file=ready_file,
        say=lambda running: _say_ready(running, path, as_json=json),
    )


def _pairs(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is no NAME=VALUE")
        found[name.strip()] = value.strip()
    return found


def _say_ready(running: Running, store: Path, *, as_json: bool) -> None:
    ready = running.ready()
    if as_json or not for_people():
        # One line, at once: scripts wait for it.
        print_json(ready) if as_json and for_people() else _line(ready)
        sys.stdout.flush()
        return
    shown = Table.grid(padding=(0, 2))
    kind = "closed" if ready["closed"] else "open"
    shown.add_row("[bold]space[/]", Text(printable(f"{ready['space']} ({kind}), this hub is its {ready['role']}")))
    shown.add_row("[bold]links[/]", Text(ready["links"]))
    shown.add_row("[bold]HTTP[/]", Text(f"{ready['http']}  (/health, /metrics, /openapi.json)"))
    shown.add_row("[bold]store[/]", Text(printable(str(store))))
    console().print(shown)
    for line in running.advice(str(store)):
        console().print(line, markup=False, style="cyan" if line.startswith("  ") else None)
    say("Ctrl-C ends it.")


def _line(ready: dict[str, Any]) -> None:
    import json

    sys.stdout.write(json.dumps(ready) + "\n")


Right = Annotated[
    Literal["read", "write", "admin"],
    typer.Option("--right", "--scope", help="What it allows; each includes those before."),
]


def make_token(
    *,
    right: Right = "read",
    name: Annotated[str, typer.Option(help="In whose name its holder speaks and writes.")] = "client",
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends, such as 12h or 30d.", show_default="never")
    ] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Make an access token for the hub's HTTP interface. It is shown once, and kept as a hash.

    [bold]Examples[/bold]

      chrysalis hub token --right read --name dashboard

      chrysalis hub token --right write --name ada --expires 30d
    """
    from chrysalis_memory.hub.access import AccessTokens

    lifetime_ms = None if expires is None else duration_to_ms(options.duration(expires))
    now_ms = int(time() * 1000)
    secret, token = AccessTokens(require_store(store)).make(name, right, now_ms=now_ms, lifetime_ms=lifetime_ms)
    if json:
        print_json({"token": secret, **token.to_dict()})
        return
    sys.stdout.write(secret + "\n")
    say(f"Send it as [cyan]Authorization: Bearer[/] and this token. It is not shown again; to take it back: {token.id}")


def list_tokens(*, store: Store = None, json: Json = False) -> None:
    """Show the access tokens: who has them, what they allow, and until when.

    [bold]Examples[/bold]

      chrysalis hub tokens
    """
    from chrysalis_memory.hub.access import AccessTokens

    tokens = AccessTokens(require_store(store)).list()
    if json:
        print_json([token.to_dict() for token in tokens])
    elif for_people():
        _show_tokens(tokens)
    else:
        for token in tokens:
            print_row(token.id, token.name, token.right, _ends(token.expires_at))


def _show_tokens(tokens: list[AccessToken]) -> None:
    table = Table("id", "name", "right", "made", "ends", box=None)
    for token in tokens:
        made, ends = local(token.created_at), local(token.expires_at) or "never"
        table.add_row(*map(Text, (token.id, token.name, token.right, made, ends)))
    console().print(table if tokens else "there are none; make one with `chrysalis hub token`")


def _ends(moment: datetime | None) -> str:
    return "never" if moment is None else moment.isoformat()


def take_back(
    tokens: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, as `chrysalis hub tokens` shows them.")],
    *,
    store: Store = None,
    json: Json = False,
) -> None:
    """Take access tokens back: from the next request on they are refused.

    [bold]Examples[/bold]

      chrysalis hub take-back 1f0c9a2be4d85713
    """
    from chrysalis_memory.hub.access import AccessTokens

    kept = AccessTokens(require_store(store))
    for token in tokens:
        kept.take_back(token)
    if json:
        print_json({"taken_back": tokens})
    elif for_people():
        say(f"taken back: {counted(len(tokens), 'token')}")
    else:
        for token in tokens:
            print_row(token)


def audit(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="How many entries, newest.")] = 50,
    what: Annotated[str | None, typer.Option(help="Only of this kind, such as joined or conflict.")] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Show a hub's audit log: who joined, was refused or removed, what was proven, forgotten or in conflict.

    [bold]Examples[/bold]

      chrysalis audit -n 20

      chrysalis audit --what conflict --json
    """
    from chrysalis_memory.hub.audit import read_audit

    entries = read_audit(require_store(store), limit=limit, what=what)
    if json:
        print_json(entries)
        return
    for entry in entries:
        at, kind = printable(str(entry["at"])), printable(entry["what"])
        about = "  ".join(f"{name}={_short(value)}" for name, value in entry.items() if name not in {"at", "what"})
        if for_people():
            console().print(Text.assemble((at, "dim"), "  ", (kind, "bold"), "  ", about))
        else:
            print_row(at, kind, about)


def _short(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return printable(text.replace("\n", " "))
