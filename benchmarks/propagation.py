"""`python -m benchmarks.propagation`: simulated rounds beside the formula, as table and picture of docs/gossip.md.

A hundred thousand replicas take some minutes and 4 GB; `--up-to 10000` leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from time import process_time
from typing import Annotated, Final

import typer
from rich.console import Console

from benchmarks.plots import propagation as plot
from chrysalis_memory.simulation import Mode, Propagation, simulate

_DOCS: Final = Path(__file__).parent.parent / "docs"
_SEEDS: Final = {10: 200, 30: 200, 64: 100, 100: 50, 300: 30, 1_000: 20, 10_000: 2, 100_000: 1}
_NODE_SEEDS: Final = {10: 20, 30: 20, 64: 5, 100: 5, 300: 3, 1_000: 1}
_MODES: Final[tuple[Mode, ...]] = ("push", "push-pull", "gossip")
_TITLES: Final = (
    "replicas",
    "formula, push-pull",
    "push-pull: mean, p99, most",
    "push: mean, p99, most",
    "gossip: mean, p99, most",
    "whole nodes: mean, p99, most",
    "sent, each",
    "links",
    "runs",
    "seconds of a run",
)


def main(
    up_to: Annotated[int, typer.Option(help="The greatest size to simulate.")] = 100_000,
    loss: Annotated[float, typer.Option(help="The share of messages that are lost.")] = 0.1,
    write: Annotated[bool, typer.Option("--write", help="Put table and picture into docs.")] = False,
) -> None:
    """Simulate every size in every mode, and print the table."""
    progress = Console(stderr=True)
    lines: list[str] = []
    shown: list[Mapping[str, Propagation]] = []
    for size, seeds in _SEEDS.items():
        if size > up_to:
            continue
        runs: dict[str, Propagation] = {}
        seconds = 0.0
        for mode in _MODES:
            progress.print(f"[dim]{size:,} replicas, {mode}[/]")
            started = process_time()
            runs[mode] = simulate(size, loss=loss, mode=mode, seeds=seeds)
            seconds = (process_time() - started) / seeds  # of the last mode, which is gossip
        if size in _NODE_SEEDS:
            progress.print(f"[dim]{size:,} replicas, nodes[/]")
            runs["nodes"] = simulate(size, loss=loss, mode="nodes", seeds=_NODE_SEEDS[size])
        lines.append(_line(runs, seeds, seconds))
        shown.append(runs)
    table = "\n".join([f"| {' | '.join(_TITLES)} |", "|---" * len(_TITLES) + "|", *lines, ""])
    typer.echo(table)
    if write:
        page = _DOCS / "gossip.md"
        text = page.read_text(encoding="utf-8")
        between = r"(<!-- figures -->\n).*?(<!-- end of figures -->)"
        page.write_text(re.sub(between, rf"\g<1>{table}\g<2>", text, flags=re.DOTALL), encoding="utf-8")
        (_DOCS / "images" / "propagation.svg").write_text(plot.draw(shown), encoding="utf-8")


def _line(runs: Mapping[str, Propagation], seeds: int, seconds: float) -> str:
    gossip = runs["gossip"]
    complete = all(run.complete == run.seeds for run in runs.values())
    cells = [
        f"{gossip.replicas:,}",
        f"{gossip.formula_rounds:.1f}",
        *(_rounds(runs[mode]) for mode in ("push-pull", "push", "gossip")),
        _rounds(runs["nodes"]) if "nodes" in runs else "",
        f"{gossip.copies or 0:.1f}",
        f"{gossip.links or 0:.1f}",
        f"{seeds}, complete" if complete else f"{seeds}, not all complete",
        f"{seconds:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _rounds(run: Propagation) -> str:
    return f"{run.mean_rounds:.1f}, {run.p99_rounds}, {run.max_rounds}"


if __name__ == "__main__":
    typer.run(main)
