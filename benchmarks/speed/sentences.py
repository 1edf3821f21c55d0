"""Real English sentences that every machine with Python has: the documentation of its standard library."""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

__all__ = ["sentences"]

_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_FEWEST, _MOST = 5, 60


def sentences(most: int) -> list[str]:
    """At most so many different sentences, spread evenly over the library, the same ones each time."""
    found = list(dict.fromkeys(sentence for path in _sources() for sentence in _of_file(path)))
    step = max(len(found) / most, 1.0)
    return [found[int(place * step)] for place in range(min(most, len(found)))]


def _sources() -> list[Path]:
    library = Path(sysconfig.get_paths()["stdlib"])
    return sorted(library.glob("*.py"))


def _of_file(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _split(ast.get_docstring(node) or "")


def _split(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        for sentence in _END.split(" ".join(paragraph.split())):
            if _FEWEST <= len(sentence.split()) <= _MOST and ">>>" not in sentence:
                yield sentence
