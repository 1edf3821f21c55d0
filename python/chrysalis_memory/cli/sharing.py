"""Commands that reach other replicas: sync, peers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.cli.failures import NOTHING
from chrysalis_memory.cli.opening import embedder, require_store
from chrysalis_memory.cli.options import DEFAULT_AGENT, Json, Space, Store
from chrysalis_memory.cli.output import counted, for_people, in_markup, print_json, print_row, say, working
from chrysalis_memory.cli.passphrase import passphrase
from chrysalis_memory.errors import ChrysalisError
from chrysalis_memory.network import SyncConfig

PANEL: Final = "Share"

Authorities = Annotated[
    Path | None, typer.Option("--ca", help="PEM file of the authorities to believe, instead of the system's.")
]
Plain = Annotated[
    bool, typer.Option("--insecure-plain-text", help="Allow ws:// beyond this machine: anyone between can read it.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (sync, peers):
        app.command(rich_help_panel=PANEL)(command)


def sync(
    where: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WHERE]...", help="Addresses (wss://host:port), or folders of stores on this machine."),
    ] = None,
    *,
    timeout: Annotated[float, typer.Option(help="Seconds for each.")] = 60.0,
    ca: Authorities = None,
    insecure_plain_text: Plain = False,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """Exchange until both hold the same: with these, or with all kept addresses; exit code 1 if one failed.

    [bold]Examples[/bold]

      chrysalis sync wss://hub.example:4444

      chrysalis sync ../other-store --json
    """
    with _open(store, space, ca, insecure_plain_text) as memory:
        targets = where or memory.peers()
        if not targets:
            raise ValueError("there is nobody to sync with: name an address, or keep one with `chrysalis peers --add`")
        told = []
        for one in _each(memory, targets, timeout):
            told.append(one)
            if not json:
                _show(one)
    if json:
        print_json({"synced": told})
    if any("error" in one for one in told):
        raise typer.Exit(NOTHING)


def _each(memory: ChrysalisMemory, targets: list[str], timeout: float) -> Iterator[dict[str, Any]]:
    for target in targets:
        try:
            with working(f"Syncing with {in_markup(target)}"):
                yield {"where": target, **_one(memory, target, timeout)}
        except ChrysalisError as error:
            # One that is away must not keep the others waiting.
            yield {"where": target, "error": error.to_dict()}


def _one(memory: ChrysalisMemory, target: str, timeout: float) -> dict[str, Any]:
    if "://" not in target:
        merged = memory.merge(target, timeout=timeout)
        return {"received": merged.stored, "acknowledged": True}
    report = memory.sync_once(target, timeout=timeout)
    return {
        "received": report.stored,
        "acknowledged": report.acknowledged,
        "key": report.key,
        "role": report.role,
        "sent_bytes": report.sent_bytes,
        "received_bytes": report.received_bytes,
        "seconds": round(report.seconds, 3),
    }


def _show(told: dict[str, Any]) -> None:
    error = told.get("error")
    if not for_people():
        print_row(told["where"], "failed" if error else "equal", error["code"] if error else told["received"])
    elif error:
        say(f"[bold red]{in_markup(told['where'])}[/]: {in_markup(error['message'])}")
    else:
        say(f"[green]equal[/] with {in_markup(told['where'])}: {counted(told['received'], 'operation')} received")


def peers(
    *,
    add: Annotated[list[str] | None, typer.Option("--add", help="Keep this address; repeat.")] = None,
    forget: Annotated[list[str] | None, typer.Option("--forget", help="Drop this address; repeat.")] = None,
    store: Store = None,
    space: Space = None,
    json: Json = False,
) -> None:
    """List the addresses of other replicas that the store keeps; keep or drop some.

    [bold]Examples[/bold]

      chrysalis peers --add wss://hub.example:4444

      chrysalis peers --json
    """
    with _open(store, space, None, True) as memory:
        for url in add or ():
            memory.add_peer(url)
        for url in forget or ():
            memory.forget_peer(url)
        kept = memory.peers()
    if json:
        print_json({"peers": kept})
        return
    for url in kept:
        print_row(url)
    if not kept and for_people():
        say("no addresses are kept: `chrysalis peers --add wss://host:port`")


def calling(ca: Path | None, plain: bool) -> SyncConfig:
    """Settings for calls: whom to believe, and whether to do without TLS."""
    return SyncConfig(tls_authorities=None if ca is None else str(ca), allow_plain=plain)


def _open(store: Path | None, space: str | None, ca: Path | None, plain: bool) -> ChrysalisMemory:
    require_store(store)
    return ChrysalisMemory(
        store,
        agent_id=DEFAULT_AGENT,
        space=space,
        passphrase=passphrase(store),
        embedder=embedder(),
        sync_config=calling(ca, plain),
    )
