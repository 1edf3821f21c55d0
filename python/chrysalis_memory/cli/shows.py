"""Commands that show what the product does."""

from __future__ import annotations

from typing import Final

import typer

from chrysalis_memory.cli.bench import bench
from chrysalis_memory.cli.demo import demo
from chrysalis_memory.cli.simulate import simulate

_PANEL: Final = "See for yourself"


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (demo, bench, simulate):
        app.command(rich_help_panel=_PANEL)(command)
