"""Names for functions that were given without one, so that two of them do not pass for one model.

A function of a module is known by its module and name. Lambdas, functions inside others, those of a script and partial
ones may share these; a digest of what they are made of tells them apart: their code, defaults, and what they refer to.
Of an object only its type is known, and a name or model that it states. The digest may change with the version of
Python, and the memories are then embedded anew: who minds gives a name.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

__all__ = ["name_of"]

_PLAIN: Final = (str, bytes, int, float, bool, complex, type(None))
_STATED: Final = ("name", "model", "model_name", "model_id", "name_or_path")
_DEPTH_MAX: Final = 4
_ITEMS_MAX: Final = 64
_DIGEST_CHARACTERS: Final = 12


def name_of(function: Callable[..., Any]) -> str:
    """The model's name, when the caller gave none.

    >>> name_of(sorted)
    'builtins.sorted'
    >>> one, other = (lambda text: [1.0, 0.0]), (lambda text: [0.0, 1.0])
    >>> name_of(one) == name_of(other)
    False
    """
    known = inspect.unwrap(function)
    named: Any = known if hasattr(known, "__qualname__") else type(known)
    name = f"{getattr(named, '__module__', None) or type(known).__module__}.{named.__qualname__}"
    if not _is_shared(known, name):
        return name
    digest = hashlib.sha256("\x00".join(_described(known, 0)).encode("utf-8", "backslashreplace"))
    return f"{name}#{digest.hexdigest()[:_DIGEST_CHARACTERS]}"


def _is_shared(function: Any, name: str) -> bool:
    if isinstance(function, FunctionType):
        return "<" in name or function.__module__ == "__main__"
    return not inspect.isbuiltin(function) and not isinstance(function, type)


def _described(value: Any, depth: int) -> Iterator[str]:
    """What a value is, in pieces that are the same whenever the program runs."""
    if isinstance(value, _PLAIN):
        yield repr(value)
    elif depth > _DEPTH_MAX:
        yield type(value).__qualname__
    elif isinstance(value, FunctionType):
        yield from _of_function(value, depth + 1)
    elif isinstance(value, functools.partial):
        yield from _all((value.func, *value.args, *sorted(value.keywords.items())), depth + 1)
    elif inspect.ismethod(value):
        yield value.__func__.__qualname__
        yield from _described(value.__self__, depth + 1)
    elif isinstance(value, tuple | list):
        yield from _all(value[:_ITEMS_MAX], depth + 1)
    elif isinstance(value, ModuleType | type):
        yield value.__name__
    else:
        yield type(value).__qualname__
        yield from (f"{key}={stated}" for key in _STATED if isinstance(stated := getattr(value, key, None), str))


def _of_function(function: FunctionType, depth: int) -> Iterator[str]:
    yield f"{function.__module__}.{function.__qualname__}"
    yield from _of_code(function.__code__)
    yield from _all(function.__defaults__ or (), depth)
    yield from _all(sorted((function.__kwdefaults__ or {}).items()), depth)
    yield from _all((_content(cell) for cell in function.__closure__ or ()), depth)
    used = (name for name in function.__code__.co_names if name in function.__globals__)
    yield from _all((function.__globals__[name] for name in used), depth)


def _of_code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield " ".join(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # not filled yet


def _all(values: Iterable[Any], depth: int) -> Iterator[str]:
    for value in values:
        yield from _described(value, depth)
