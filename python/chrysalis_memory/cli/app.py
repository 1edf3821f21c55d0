"""Which commands there are, and in which order help shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chrysalis_memory.cli import (
    care,
    context,
    doctor,
    encrypt,
    ghost,
    hub,
    members,
    models,
    moving,
    reading,
    sharing,
    shows,
    writing,
)
from chrysalis_memory.cli.passphrase import use_passphrase_file

_EPILOG = """\
[bold]First steps[/bold]

  chrysalis demo                                      see what it does, in under a minute

  chrysalis remember "The ferry needs 2.40 m" --tag depth

  chrysalis recall "how deep for the ferry"

  chrysalis import notes/                             a folder of Markdown, or a chat export

Settings: [cyan]CHRYSALIS_STORE[/cyan] (folder), [cyan]CHRYSALIS_AGENT[/cyan], [cyan]CHRYSALIS_SPACE[/cyan],
[cyan]CHRYSALIS_EMBEDDER[/cyan].
"""


def build_app() -> typer.Typer:
    """The whole command line as a Typer application."""
    app = typer.Typer(
        name="chrysalis",
        help="Shared memory for AI agents: offline, merged without conflict, signed, and really forgotten.",
        epilog=_EPILOG,
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # they would show the words of memories
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for group in (
        writing,
        reading,
        moving,
        members,
        sharing,
        hub,
        context,
        ghost,
        care,
        doctor,
        encrypt,
        models,
        shows,
    ):
        group.register(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("chrysalis-memory"))
        raise typer.Exit


def _options(
    version: Annotated[  # noqa: ARG001 - the callback does it
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--passphrase-file",
            envvar="CHRYSALIS_PASSPHRASE_FILE",
            show_default="the variable CHRYSALIS_PASSPHRASE",
            help="File with the passphrase of an encrypted store; otherwise a terminal is asked.",
        ),
    ] = None,
) -> None:
    use_passphrase_file(passphrase_file)
