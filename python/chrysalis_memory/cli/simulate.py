"""`chrysalis simulate`: how news reaches many agents, and what they come to believe while some lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from chrysalis_memory.cli.options import Json
from chrysalis_memory.cli.output import console, for_people, print_json, print_row, say, working
from chrysalis_memory.simulation import Believed, Mode, Progress, Propagation, simulate_liars
from chrysalis_memory.simulation import simulate as simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.text import Text

_SIZES: Final = (10, 30, 100, 300, 1_000, 10_000, 100_000)
_TRUTH: Final = 0.6
_BLOCKS: Final = " ▏▎▍▌▋▊▉█"


def simulate(
    *,
    agents: Annotated[int, typer.Option(min=2, max=200_000, help="How many agents, each with a replica.")] = 1_000,
    fanout: Annotated[int, typer.Option(min=1, max=64, help="How many each tells at once.")] = 3,
    loss: Annotated[float, typer.Option(min=0, max=1, help="The share of messages that are lost.")] = 0.1,
    mode: Annotated[
        Mode, typer.Option(help="The machines of gossip, whole nodes, or the formula's own world.")
    ] = "gossip",
    seed: Annotated[int, typer.Option(min=0, help="Where chance begins: the same seed, the same figures.")] = 1,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="How many runs, from that seed on.")] = 1,
    table: Annotated[bool, typer.Option("--table", help="One line for each size up to this many agents.")] = False,
    liars: Annotated[
        float | None, typer.Option(min=0, max=1, help="Show instead what agents believe while this share of them lies.")
    ] = None,
    json: Json = False,
) -> None:
    """See how news reaches many agents, round by round, beside the formula. Nothing is stored.

    [bold]Examples[/bold]

      chrysalis simulate --agents 1000 --fanout 3 --loss 0.1

      chrysalis simulate --agents 10000 --table --seeds 5

      chrysalis simulate --agents 100 --liars 0.33
    """
    if liars is not None:
        _show_beliefs(simulate_liars(agents, liars, truth=_TRUTH, seed=seed), liars, json=json)
        return
    sizes = [size for size in _SIZES if size < agents] if table else []
    runs = []
    with working("Simulating") as tell:
        for size in [*sizes, agents]:
            watch = _teller(tell, size, seeds)
            runs.append(simulated(size, fanout=fanout, loss=loss, mode=mode, seed=seed, seeds=seeds, watch=watch))
    if json:
        print_json([run.to_dict() for run in runs] if table else runs[0].to_dict())
    elif table:
        _show_table(runs)
    else:
        _show_curve(runs[0])


def _teller(tell: Callable[[str], None], agents: int, seeds: int) -> Callable[[Progress], None]:
    """Says how far a simulation is.

    >>> _teller(print, 1000, 1)(Progress(run=1, rounds=12, share=None))
    1,000 agents find each other, round 12
    >>> _teller(print, 1000, 5)(Progress(run=2, rounds=90, share=0.25))
    run 2 of 5, 25.0 % of 1,000 agents have it
    """

    def say_how_far(progress: Progress) -> None:
        run = f"run {progress.run} of {seeds}, " if seeds > 1 else ""
        if progress.share is None:
            tell(f"{run}{agents:,} agents find each other, round {progress.rounds}")
        else:
            tell(f"{run}{_percent(progress.share)} of {agents:,} agents have it")

    return say_how_far


def _bar(share: float, width: int, style: str) -> Text:
    from rich.text import Text

    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_BLOCKS[rest] if rest else "")
    return Text(drawn.ljust(width)[:width], style=style)


def _show_curve(run: Propagation) -> None:
    if not for_people():
        for number, share in enumerate(run.shares):
            print_row(number, f"{share:.6f}")
        return
    from rich.text import Text

    width = max(20, min(console().width, 100) - 24)
    console().print(Text(f"  {'round':>5}  share of {run.replicas:,} agents that have it", style="dim"))
    for number, share in enumerate(run.shares):
        style = "green" if share >= 1 else "cyan"
        line = Text(f"  {number:>5}  ").append_text(_bar(share, width, style)).append(f"  {_percent(share)}")
        console().print(line, no_wrap=True)
    say("\n" + "\n".join(f"  {line}" for line in _summary(run)))


def _percent(share: float) -> str:
    """Never 100 % before it is everyone.

    >>> _percent(1.0), _percent(0.99996), _percent(0.5)
    ('100 %', '99.9 %', '50.0 %')
    """
    return "100 %" if share >= 1 else f"{min(share * 100, 99.9):.1f} %"


def _summary(run: Propagation) -> list[str]:
    runs = f"[dim]({run.complete} of {run.seeds} runs)[/]" if run.seeds > 1 or run.complete == 0 else ""
    rounds = f"{run.mean_rounds:.1f} rounds, {run.max_rounds} at most" if run.seeds > 1 else f"{run.max_rounds} rounds"
    told = f"Everyone has it after [bold]{rounds}[/] {runs}" if run.complete else f"Not everyone ever has it {runs}"
    sent = [f"It was sent {run.copies:.1f} times for each agent"] if run.copies is not None else []
    links = [f"Each agent holds {run.links:.1f} links"] if run.links is not None else []
    return [told.rstrip(), f"The formula says {run.formula_rounds:.1f}, without loss", *sent, *links]


def _show_table(runs: list[Propagation]) -> None:
    if not for_people():
        for run in runs:
            cells = (run.mean_rounds, run.p99_rounds, run.max_rounds, run.formula_rounds, run.links or 0)
            print_row(run.replicas, *(f"{cell:.2f}" for cell in cells))
        return
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for title in ("agents", "rounds", "p99", "most", "formula", "sent, each", "links", "complete"):
        shown.add_column(title, justify="right")
    for run in runs:
        links = f"{run.links:.1f}" if run.links is not None else ""
        figures = (f"{run.mean_rounds:.1f}", str(run.p99_rounds), str(run.max_rounds), f"{run.formula_rounds:.1f}")
        copies = f"{run.copies:.1f}" if run.copies is not None else ""
        shown.add_row(f"{run.replicas:,}", *figures, copies, links, f"{run.complete} of {run.seeds}")
    console().print(shown)


def _show_beliefs(rounds: list[Believed], share: float, *, json: bool) -> None:
    if json:
        print_json({"truth": _TRUTH, "liars": share, "rounds": [one.to_dict() for one in rounds]})
        return
    if not for_people():
        for number, one in enumerate(rounds, start=1):
            print_row(number, *(f"{value:.4f}" for value in one.to_dict().values()))
        return
    from rich import box
    from rich.table import Table

    say(f"  It works {_TRUTH:.0%} of the time. {share:.0%} of the agents say that it always does.\n")
    shown = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1))
    shown.add_column("round", justify="right")
    width = max(8, (min(console().width, 100) - 40) // 2)
    for title in ("trimmed mean", "plain mean"):
        shown.add_column(title, no_wrap=True)
    for title in ("median", "maximum"):
        shown.add_column(title, justify="right")
    for number, one in enumerate(rounds, start=1):
        cells = [
            _bar(read, width - 6, style).append(f" {read:.3f}", style="default")
            for read, style in ((one.trimmed_mean, "green"), (one.mean, "red"))
        ]
        shown.add_row(str(number), *cells, f"{one.median:.3f}", f"{one.maximum:.3f}")
    console().print(shown)
    off = {name.replace("_", " "): abs(value - _TRUTH) for name, value in rounds[-1].to_dict().items()}
    say("  Off by: " + ", ".join(f"{name} {off[name]:.3f}" for name in ("trimmed mean", "mean", "maximum")))
