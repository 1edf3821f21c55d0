"""Puts what was measured into docs/recall.md: `python -m benchmarks.recall_report --help`.

Tables stand between `<!-- table: name -->` and `<!-- end -->`; everything else in the page stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.plots import quality as quality_plot
from benchmarks.plots import speed as speed_plot
from benchmarks.quality import tables as quality_tables
from benchmarks.speed import tables as speed_tables

__all__ = ["fill", "main"]

_DOCS = Path(__file__).parent.parent / "docs"
_TABLE = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Run = Mapping[str, Any]
Tables = Mapping[str, Callable[[Run], str]]

_QUALITY: Tables = {
    "quality-all": quality_tables.head_to_head,
    "quality-each": quality_tables.each,
    "quality-category": quality_tables.categories,
    "quality-compared": quality_tables.comparisons,
    "quality-nothing": quality_tables.nothing,
    "quality-run": quality_tables.about,
}
_SPEED: Tables = {
    "speed-recall": speed_tables.recall,
    "speed-stages": speed_tables.stages,
    "speed-lag": speed_tables.lag,
    "speed-store": speed_tables.store,
    "speed-run": speed_tables.about,
}


def main(
    folder: Annotated[Path, typer.Argument(help="Where quality.json and speed.json are; one of them will do.")],
    page: Annotated[Path, typer.Option(help="The page whose tables are written.")] = _DOCS / "recall.md",
) -> None:
    """Write the tables of the page and the pictures beside it from what the benchmarks wrote with `--out`."""
    images = page.parent / "images"
    images.mkdir(exist_ok=True)
    found = False
    for name, tables, draw in (("quality", _QUALITY, quality_plot.draw), ("speed", _SPEED, speed_plot.draw)):
        path = folder / f"{name}.json"
        if not path.exists():
            continue
        found = True
        run = json.loads(path.read_text(encoding="utf-8"))
        filled = fill(page.read_text(encoding="utf-8"), {table: make(run) for table, make in tables.items()})
        page.write_text(filled, encoding="utf-8")
        (images / f"recall-{name}.svg").write_text(draw(run), encoding="utf-8")
    if not found:
        raise typer.BadParameter(f"neither quality.json nor speed.json is in {folder}")


def fill(page: str, made: Mapping[str, str]) -> str:
    """The page with these tables in their places; those that are not named stay."""

    def put(match: re.Match[str]) -> str:
        table = made.get(match[2])
        return match[0] if table is None else f"{match[1]}{table.strip()}\n{match[3]}"

    return _TABLE.sub(put, page)


if __name__ == "__main__":
    typer.run(main)
