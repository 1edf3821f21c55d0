"""The tables of a run, as Markdown: the terminal and the documents show the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.quality.kinds import OURS
from benchmarks.quality.metrics import FIGURES

__all__ = ["about", "categories", "comparisons", "each", "everything", "head_to_head", "nothing"]

_Row = Sequence[object]
_MACHINE = ("measured", "processor", "Python")

# The signs that typesetters use, which look like a hyphen in most fonts of editors.
_MINUS, _TO = "\u2212", "\u2013"


def _table(heads: Sequence[str], rows: Iterable[_Row]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines.extend(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    """Three digits and no zero before the point."""
    return f"{value:.3f}".removeprefix("0") if 0 <= value < 1 else f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else _MINUS}{_short(abs(value))}"


def _with_interval(figure: float, bounds: Sequence[float]) -> str:
    return f"{_short(figure)} ({_short(bounds[0])}{_TO}{_short(bounds[1])})"


def _best(name: str, cell: str) -> str:
    return f"**{cell}**" if name == OURS else cell


def head_to_head(run: Mapping[str, Any], figure: str = "R@10") -> str:
    """One figure of every system on every collection, side by side."""
    collections = run["collections"]
    rows = []
    for name, told in run["systems"].items():
        cells = [_cell(collection, name, figure) for collection in collections.values()]
        rows.append((_best(name, told["title"]), *(_best(name, cell) for cell in cells)))
    return _table((f"{figure} (95 of 100)", *collections), rows)


def _cell(collection: Mapping[str, Any], name: str, figure: str) -> str:
    if name not in collection["systems"]:
        return str(collection["missing"].get(name, "not measured"))
    found = collection["systems"][name]
    return (
        _with_interval(found["overall"][figure], found["intervals"][figure]) if found["intervals"] else "no questions"
    )


def full(run: Mapping[str, Any], collection: str) -> str:
    """Every figure of every system on one collection."""
    told = run["collections"][collection]
    rows = []
    for name, found in told["systems"].items():
        figures = [_short(found["overall"][figure]) for figure in FIGURES if figure in found["overall"]]
        title, spent = run["systems"][name]["title"], f"{found['search_p50_s'] * 1e3:.1f} ms"
        rows.append((_best(name, title), *(_best(name, cell) for cell in figures), spent))
    rows.extend((run["systems"][name]["title"], reason) for name, reason in told["missing"].items())
    return _table(("", *FIGURES, "search"), rows)


def compared(run: Mapping[str, Any], collection: str) -> str:
    """Ours minus each other system on the same questions."""
    rows = []
    for name, found in run["collections"][collection]["systems"].items():
        if "ours_minus_this" in found:
            cells = [_difference(one) for one in found["ours_minus_this"].values()]
            rows.append((run["systems"][name]["title"], *cells))
            heads = list(found["ours_minus_this"])
    return _table(("ours minus", *heads), rows) if rows else ""


def _difference(told: Mapping[str, float]) -> str:
    return f"{_signed(told['mean'])} ({_signed(told['low'])} to {_signed(told['high'])})"


def by_category(run: Mapping[str, Any], collection: str) -> str:
    """Ours by category, with R@10 of every other system."""
    systems = run["collections"][collection]["systems"]
    if OURS not in systems:
        return ""
    others = [name for name in systems if name != OURS]
    rows = []
    for category, figures in systems[OURS]["by_category"].items():
        mine = (_with_interval(figures["R@10"], figures["interval"]), _short(figures["R@50"]), _short(figures["MRR"]))
        rows.append((category, figures["n"], *mine, *(_of(systems[name], category) for name in others)))
    titles = [f"{run['systems'][name]['title']}, R@10" for name in others]
    return _table(("category", "n", "ours, R@10", "R@50", "MRR", *titles), rows)


def _of(found: Mapping[str, Any], category: str) -> str:
    return _short(found["by_category"][category]["R@10"])


def nothing(run: Mapping[str, Any]) -> str:
    """What thresholds do, on every collection that has questions without an answer."""
    rows = []
    for name, told in run["collections"].items():
        if told["nothing"] is None:
            continue
        asked, apart = told["nothing"], told["nothing"]["told_apart"]
        counts = (name, f"{asked['without_answer']} / {asked['with_answer']}", "" if apart is None else _short(apart))
        rows.append((*counts, "none", "", "", ""))
        rows.extend((*counts, level, *_silences(found)) for level, found in asked["thresholds"].items())
    heads = ("collection", "without / with answer", "told apart", "threshold", "silent without answer")
    return _table((*heads, "silent with answer", "answers lost"), rows) if rows else ""


def _silences(found: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{found[name]:.1%}" for name in ("silent_without_answer", "silent_with_answer", "answers_lost"))


def each(run: Mapping[str, Any]) -> str:
    """`full` for every collection, under its name and shape."""
    return "\n".join(f"### {name}\n\n{_shape(told)}.\n\n{full(run, name)}" for name, told in run["collections"].items())


def categories(run: Mapping[str, Any]) -> str:
    """`by_category` for every collection, under its name."""
    return "\n".join(f"**{name}**\n\n{by_category(run, name)}" for name in run["collections"])


def comparisons(run: Mapping[str, Any]) -> str:
    """`compared` for every collection, under its name."""
    return "\n".join(f"**{name}**\n\n{compared(run, name)}" for name in run["collections"])


def about(run: Mapping[str, Any]) -> str:
    """What was measured on, with which embedder and versions."""
    told = [f"embedder {run['embedder'] or 'none'}"]
    told += [f"{package} {version}" for one in run["systems"].values() for package, version in one["versions"].items()]
    told += [f"{what}: {fact}" for what, fact in run["machine"].items() if what in _MACHINE]
    return "; ".join(dict.fromkeys(told)) + ".\n"


def _shape(told: Mapping[str, Any]) -> str:
    shape = told["shape"]
    stores = "one store" if shape["stores"] == 1 else f"{shape['stores']} stores"
    without = f", {shape['without_answer']} more without an answer" if shape["without_answer"] else ""
    memories = f"{shape['memories']:,} memories of {shape['characters']:,} characters on average"
    return f"{stores[0].upper()}{stores[1:]}, {memories}; {shape['questions']:,} questions{without}"


def everything(run: Mapping[str, Any]) -> str:
    """All tables of a run, one below the other."""
    parts = [
        ("All collections", head_to_head(run)),
        ("Each collection", each(run)),
        ("By category", categories(run)),
        ("Ours minus each other", comparisons(run)),
        ("Questions without an answer", nothing(run)),
        ("Measured with", about(run)),
    ]
    return "\n".join(f"## {title}\n\n{table}" for title, table in parts if table)
