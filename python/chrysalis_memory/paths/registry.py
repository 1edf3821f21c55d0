"""Which paths there are, what each does, and which one a misspelt one may mean."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chrysalis_memory.errors import NotFound
from chrysalis_memory.ghost.records import as_text
from chrysalis_memory.records import plain

__all__ = ["PathSpec", "Registry"]

PATHS_MAX: Final = 1_000
PATH_CHARACTERS_MAX: Final = 200
NEAR_MAX: Final = 5

_FORM: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_ALIKE: Final = 0.6


def _itself(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class PathSpec:
    """One path: the function behind it, and how its answers are kept, shown and taken up again."""

    path: str
    call: Callable[..., Any]
    about: str = ""
    writes: bool = False
    """Whether it changes something. What it failed to do is never answered by what is in the ghost."""
    is_of_the_ghost: bool = False
    """Whether it reads or writes the ghost itself, and answers with a `PathAnswer`."""
    key: Callable[[Mapping[str, Any], Any], str | None] | None = None
    """From arguments and answer (None while asking the ghost) to the name under which it is kept."""
    keeps: bool = True
    """Whether its answer is kept in the ghost."""
    to_plain: Callable[[Any], Any] = plain
    """From what `call` returns to JSON."""
    from_plain: Callable[[Any], Any] = _itself
    """And back; raises `ValueError` or an error of ours for what is no such thing."""
    to_value: Callable[[Any], Any] = _itself
    """From what `call` returns to the value of the answer."""
    to_text: Callable[[Any], str] = as_text
    """From what `call` returns to words."""
    is_everyones: bool = False
    """Whether what one agent was told is an answer for the others, too."""
    refreshes: Mapping[str, bool] = field(default_factory=dict)
    """Entries of the ghost that a success brings up to date: in any case, or only once they are no longer fresh."""

    def bind(self, arguments: Mapping[str, Any]) -> None:
        """Raises `TypeError` for arguments that the path does not take."""
        signature = inspect.signature(self.call)
        try:
            signature.bind(**arguments)
        except TypeError as error:
            raise TypeError(f"{self.path}({', '.join(signature.parameters)}): {error}") from None


class Registry:
    """Paths by name. Any program may add its own."""

    def __init__(self) -> None:
        self._specs: dict[str, PathSpec] = {}

    def add(self, spec: PathSpec) -> None:
        """Adds a path; one that is there is replaced. Raises `ValueError` or `TypeError`."""
        if not isinstance(spec.path, str):
            raise TypeError(f"a path is text, not {type(spec.path).__name__}")
        if len(spec.path) > PATH_CHARACTERS_MAX or not _FORM.fullmatch(spec.path):
            raise ValueError(f"{spec.path[:PATH_CHARACTERS_MAX]!r} is no path, such as self.memory.resume")
        if not callable(spec.call):
            raise TypeError(f"behind {spec.path} stands no function, but {type(spec.call).__name__}")
        if len(self._specs) >= PATHS_MAX and spec.path not in self._specs:
            raise ValueError(f"there are {PATHS_MAX} paths already")
        self._specs[spec.path] = spec

    def get(self, path: str) -> PathSpec:
        """The path; raises `NotFound` with the nearest ones (`near`) if there is no such path."""
        if not isinstance(path, str):
            raise TypeError(f"a path is text, not {type(path).__name__}")
        if path in self._specs:
            return self._specs[path]
        near = self._near(path[:PATH_CHARACTERS_MAX])
        shown = f"; near it: {', '.join(near)}" if near else ""
        raise NotFound(
            f"there is no path {path[:PATH_CHARACTERS_MAX]!r}{shown}",
            code="unknown_path",
            hint=f"There are: {', '.join(sorted(self._specs))}.",
            near=near,
        )

    def _near(self, path: str) -> tuple[str, ...]:
        """The most alike, whole or by their last word: `resume` means `self.memory.resume`."""
        by_last = {known.rpartition(".")[2]: known for known in sorted(self._specs)}
        alike = difflib.get_close_matches(path.lower(), self._specs, NEAR_MAX, _ALIKE)
        last = difflib.get_close_matches(path.lower().rpartition(".")[2], by_last, NEAR_MAX, _ALIKE)
        return tuple(dict.fromkeys([*(by_last[word] for word in last), *alike]))[:NEAR_MAX]

    def about(self) -> dict[str, str]:
        """Each path with what it does, in order."""
        return {path: self._specs[path].about for path in sorted(self._specs)}
