"""`python -m benchmarks.context_survival`: what survives compression, as table and picture of docs/context.md.

The collections are not part of this project: give the path of LoCoMo's JSON, of a folder of BEAM chats, or of a folder
of your own questions (docs/recall.md shows the format).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import process_time
from typing import Annotated, Final

import typer

from benchmarks.plots import survival as plot
from benchmarks.quality.collection import Collection
from benchmarks.quality.intervals import difference
from benchmarks.quality.loading import load
from benchmarks.survival.measure import MEASURES, Survival, measure, speakers_of_evidence
from benchmarks.survival.ways import WAYS, window_of
from chrysalis_memory.context import ContextProjector

_DOCS: Final = Path(__file__).parent.parent / "docs"
_SHOWN: Final = (0.5, 0.25, 0.1)
_TITLES: Final = {"answer": "words of the answer", "words": "words of the evidence", "verbatim": "whole turns"}


def main(
    data: Annotated[list[Path], typer.Option(help="A collection; repeat.")],
    write: Annotated[bool, typer.Option("--write", help="Put table and picture into docs.")] = False,
) -> None:
    """Compress every conversation in every way, and print what is left of the evidence."""
    run: dict[str, dict[str, dict[float, Survival]]] = {}
    lines: list[str] = []
    for path in data:
        collection = load(path)
        run[collection.name] = measure(collection, WAYS)
        points = "; ".join(_against_truncation(run[collection.name]))
        lines += [*_table(collection, run[collection.name]), ""]
        lines += [
            f"Words of the answer beside the last turns, in points, with intervals: {points}.",
            _facts(collection),
            "",
        ]
    text = "\n".join(lines)
    typer.echo(text)
    if write:
        page = _DOCS / "context.md"
        between = r"(<!-- figures -->\n).*?(<!-- end of figures -->)"
        put = re.sub(
            between, lambda found: f"{found[1]}{text}{found[2]}", page.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        page.write_text(put, encoding="utf-8")
        (_DOCS / "images" / "context-survival.svg").write_text(plot.draw(run), encoding="utf-8")


def _table(collection: Collection, found: Mapping[str, Mapping[float, Survival]]) -> Iterator[str]:
    budgets = ", ".join(f"{budget:.0%}" for budget in _SHOWN)
    yield f"| {collection.name}, at {budgets} of the tokens | {' | '.join(_TITLES[name] for name in MEASURES)} |"
    yield "|---" * (len(MEASURES) + 1) + "|"
    for way, by_budget in found.items():
        cells = (", ".join(f"{by_budget[budget].mean(name):.0%}" for budget in _SHOWN) for name in MEASURES)
        yield f"| {way} | {' | '.join(cells)} |"


def _against_truncation(found: Mapping[str, Mapping[float, Survival]]) -> Iterator[str]:
    ours, theirs = found["the projector"], found["last turns"]
    for budget in _SHOWN:
        if not ours[budget].answer:
            continue
        told = difference(ours[budget].answer, theirs[budget].answer)
        yield f"{told.mean * 100:+.0f} ({told.low * 100:+.0f} to {told.high * 100:+.0f}) at {budget:.0%}"


def _facts(collection: Collection) -> str:
    speakers = list(speakers_of_evidence(collection))
    by_people = sum(speaker != "assistant" for speaker in speakers) / len(speakers)
    windows = [window_of(item.text for item in one.items) for one in collection.conversations]
    began = process_time()
    sizes = [window.tokens() for window in windows]
    counting = process_time() - began
    began = process_time()
    for window, size in zip(windows, sizes, strict=True):
        ContextProjector().project(window, size // 4)
    projecting = process_time() - began
    return (
        f"{len(windows)} conversations of {min(sizes):,} to {max(sizes):,} tokens; {by_people:.0%} of the evidence was "
        "said by people. "
        f"Compressing to a quarter took {projecting / sum(sizes) * 1e5:.2f} s for 100,000 tokens, "
        f"{projecting / counting:.1f} times as long as counting them."
    )


if __name__ == "__main__":
    typer.run(main)
