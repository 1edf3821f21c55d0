"""The tables of a run, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.row import Figure

__all__ = ["about", "everything", "lag", "recall", "stages", "store"]

_MEBIBYTE = 1 << 20
_GOALS = {10_000: 0.001, 100_000: 0.002, 1_000_000: 0.005}
_MACHINE = ("measured", "processor", "system", "load before", "Python", "numpy")


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines.extend(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)
    return "\n".join(lines) + "\n"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else str(Figure(seconds, "s"))


def recall(run: Mapping[str, Any]) -> str:
    """Times by size, mode and filter, with the yardstick of the same rounds."""
    rows = []
    for size, told in run["sizes"].items():
        for row in told["recall"]:
            three = (_time(row["p50"]), _time(row["p95"]), _time(row["p99"]))
            beside = row.get("beside", "")
            spent = _time(told["yardsticks"][beside]["p50"]) if beside else ""
            ratio = f"{row['ratio']:.2f}" if beside else ""
            rows.append(
                (f"{int(size):,}", row["mode"], row["filter"], *three, beside, spent, ratio, _goal(int(size), row))
            )
    return _table(("memories", "mode", "filter", "p50", "p95", "p99", "beside", "its p50", "ratio", "goal"), rows)


def _goal(size: int, row: Mapping[str, Any]) -> str:
    """The goal of p50 without a filter, and whether it and four times that at the 99th percentile are met."""
    goal = _GOALS.get(size)
    if goal is None or row["filter"] != "none":
        return ""
    met = row["p50"] <= goal and row["p99"] <= 4 * goal
    return f"{goal * 1e3:.0f} ms: {'yes' if met else 'no'}"


def stages(run: Mapping[str, Any]) -> str:
    """Where the time goes, a column for each size."""
    sizes = run["sizes"]
    names = dict.fromkeys(name for told in sizes.values() for name in told["stages"])
    rows = [(name, *(_time(told["stages"].get(name)) for told in sizes.values())) for name in names]
    return _table(("stage, median", *(f"{int(size):,}" for size in sizes)), rows)


def lag(run: Mapping[str, Any]) -> str:
    """From remembered to recallable."""
    rows: list[tuple[str, ...]] = []
    for size, told in run["sizes"].items():
        rows.extend((f"{int(size):,}", name, _time(one["p50"]), _time(one["p99"])) for name, one in told["lag"].items())
    return _table(("memories", "found by", "p50", "p99"), rows)


def store(run: Mapping[str, Any]) -> str:
    """Opening, memory, disk, filling and the share of the nearest that is found."""
    sizes = run["sizes"]
    kinds: list[tuple[str, list[str]]] = [
        ("opening", [_time(told["opening"]["opened_s"]) for told in sizes.values()]),
        ("first recall after it", [_time(told["opening"]["first_recall_s"]) for told in sizes.values()]),
        ("the process's own memory after 50 recalls", [_held(told, "private") for told in sizes.values()]),
        ("of it Python and the benchmark", [_held(told, "private", "python") for told in sizes.values()]),
        ("the ten nearest that recall by vector gives", [_share(told["nearest_found"]) for told in sizes.values()]),
        ("written a second", [f"{told['filling']['written']:,.0f}" for told in sizes.values()]),
        ("vectors made and taken in a second", [f"{told['filling']['with_vectors']:,.0f}" for told in sizes.values()]),
    ]
    files = dict.fromkeys(name for told in sizes.values() for name in told["disk"])
    kinds += [
        (f"bytes a memory: {name}", [_bytes(told["disk"].get(name)) for told in sizes.values()]) for name in files
    ]
    kinds.append(("bytes a memory, all files", [_bytes(sum(told["disk"].values())) for told in sizes.values()]))
    return _table(("", *(f"{int(size):,}" for size in sizes)), [(name, *cells) for name, cells in kinds])


def _held(told: Mapping[str, Any], kind: str, when: str = "held") -> str:
    size = told["opening"][when].get(kind)
    return "" if size is None else f"{size / _MEBIBYTE:,.0f} MiB"


def _share(found: float | None) -> str:
    return "not compared" if found is None else f"{found:.1%}"


def _bytes(count: float | None) -> str:
    return "" if count is None else f"{count:,.0f}"


def about(run: Mapping[str, Any]) -> str:
    """What was measured on."""
    facts = "; ".join(f"{name}: {run['machine'][name]}" for name in _MACHINE if name in run["machine"])
    return f"Vectors: {run['vectors']}; {facts}.\n"


def everything(run: Mapping[str, Any]) -> str:
    """All tables of a run, one below the other."""
    parts = [
        ("Recall of ten", recall),
        ("Stages", stages),
        ("From remembered to recallable", lag),
        ("The store", store),
    ]
    tables = "\n".join(f"## {title}\n\n{make(run)}" for title, make in parts)
    return f"{tables}\n{about(run)}"
