"""Progress bars on a terminal: on standard error, gone when done, and nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

__all__ = ["install_progress", "steps_progress"]


@contextmanager
def install_progress() -> Iterator[Callable[[str, int, int], None]]:
    """For bytes that come; called with what is done, how much of it, and of how much."""
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with _bar("starting", DownloadColumn(), TransferSpeedColumn()) as told:
        yield told


@contextmanager
def steps_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """For things that are counted; called with how many are done, and of how many."""
    from rich.progress import MofNCompleteColumn, TimeRemainingColumn

    with _bar(what, MofNCompleteColumn(), TimeRemainingColumn()) as told:
        yield lambda done, total: told(what, done, total)


@contextmanager
def _bar(what: str, *figures: ProgressColumn) -> Iterator[Callable[[str, int, int], None]]:
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), *figures)
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        yield _teller(shown, what)


def _teller(shown: Progress, what: str) -> Callable[[str, int, int], None]:
    task = shown.add_task(what, total=None)
    return lambda now, done, total: shown.update(task, description=now, completed=done, total=total)
