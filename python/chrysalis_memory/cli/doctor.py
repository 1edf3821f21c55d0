"""The command that says what is wrong with a store and repairs what can be rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from chrysalis_memory.cli.care import PANEL
from chrysalis_memory.cli.failures import NOTHING
from chrysalis_memory.cli.opening import require_store
from chrysalis_memory.cli.options import Json, Store
from chrysalis_memory.cli.output import console, for_people, print_json, print_row, printable, say, working
from chrysalis_memory.cli.passphrase import passphrase
from chrysalis_memory.maintenance import Finding, diagnose, repair

_LEVEL_STYLES: Final = {"ok": "green", "warning": "yellow", "error": "bold red"}


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command(rich_help_panel=PANEL)(doctor)


def doctor(
    *,
    repair_it: Annotated[
        bool, typer.Option("--repair", help="Repair what can be rebuilt; a damaged database is kept beside.")
    ] = False,
    store: Store = None,
    json: Json = False,
) -> None:
    """Say what is wrong with a store, and repair what can be rebuilt; exit code 1 if something is wrong.

    [bold]Examples[/bold]

      chrysalis doctor

      chrysalis doctor --repair --store /data/agents
    """
    path = require_store(store)
    with working("Looking at every file"):
        findings = (repair if repair_it else diagnose)(path, passphrase=passphrase(store))
    if json:
        print_json([_finding(finding) for finding in findings])
    else:
        _show_findings(findings)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(NOTHING)


def _finding(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in ("level", "code", "where", "what", "repair")}


def _show_findings(findings: Sequence[Finding]) -> None:
    if not for_people():
        for finding in findings:
            print_row(finding.level, finding.code, finding.where, finding.what, finding.repair or "")
        return
    for finding in findings:
        style = _LEVEL_STYLES[finding.level]
        console().print(
            Text.assemble((f"{finding.level:>7}", style), "  ", printable(f"{finding.where}: {finding.what}"))
        )
        if finding.repair:
            console().print(Text.assemble("         ", ("repair: ", "cyan"), printable(finding.repair)))
    if not findings:
        say("[green]nothing is wrong[/]")
