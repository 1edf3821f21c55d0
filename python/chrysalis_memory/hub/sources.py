"""Where a hub's settings come from: flags before the environment, before a TOML file, before the defaults."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from chrysalis_memory.hub.settings import HubSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["PREFIX", "as_toml", "gather"]

PREFIX: Final = "CHRYSALIS_HUB_"

_KINDS: Final = {setting.name: str(setting.type) for setting in fields(HubSettings)}
_TRUE: Final = {"1", "true", "yes", "on"}
_FALSE: Final = {"0", "false", "no", "off"}
_FILE_BYTES_MAX: Final = 1 << 20

Sources = Mapping[str, str]


def gather(
    flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None
) -> tuple[HubSettings, dict[str, str]]:
    """The settings, and for each that is not a default where it came from. Raises `ValueError` and `OSError`.

    >>> settings, told = gather({"port": 0}, {"CHRYSALIS_HUB_PORT": "5000", "CHRYSALIS_HUB_SPACE": "team"}, None)
    >>> settings.port, settings.space, told["port"], told["space"]
    (0, 'team', 'flag', 'environment')
    """
    found: dict[str, Any] = {}
    told: dict[str, str] = {}
    for source, values in (
        (f"file {file}", {} if file is None else _of_file(file)),
        ("environment", _of_environment(environment)),
        ("flag", {name: _typed(name, value) for name, value in flags.items() if value is not None}),
    ):
        found |= values
        told |= dict.fromkeys(values, source)
    try:
        return HubSettings(**found), told
    except TypeError as error:
        raise ValueError(str(error)) from None


def _of_file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read(_FILE_BYTES_MAX + 1)
    if len(data) > _FILE_BYTES_MAX:
        raise ValueError(f"{path} is larger than a file of settings can be")
    try:
        read: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    unknown = sorted(set(read) - set(_KINDS))
    if unknown:
        raise ValueError(f"{path} sets {', '.join(unknown)}, which a hub does not have; see --print-config")
    return read


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX):
            continue
        setting = name[len(PREFIX) :].lower()
        if setting not in _KINDS:
            raise ValueError(f"{name} is no setting of a hub; see --print-config")
        if value:
            found[setting] = _typed(setting, value)
    return found


def _typed(name: str, value: Any) -> Any:
    """A text of the environment or of `--set`, as what the setting takes; other values are left alone."""
    if name not in _KINDS:
        raise ValueError(f"{name!r} is no setting of a hub; see --print-config")
    if not isinstance(value, str):
        return value
    kind = _KINDS[name]
    try:
        if kind == "bool":
            return _flag(value)
        if kind.startswith("str"):
            return value
        return int(value) if kind == "int" else float(value)
    except ValueError:
        raise ValueError(f"{name} is {value[:40]!r}; it must be {_WANTED[kind]}") from None


_WANTED: Final = {"bool": "true or false", "int": "a whole number", "float": "a number"}


def _flag(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered not in _TRUE | _FALSE:
        raise ValueError(text)
    return lowered in _TRUE


def as_toml(settings: HubSettings, told: Sources) -> str:
    """The settings as a TOML file that gives the same again; says of each where it came from.

    >>> print(as_toml(HubSettings(space="team"), {"space": "flag"}).splitlines()[5])
    space = "team"  # flag
    """
    lines = []
    for name in _KINDS:
        value = getattr(settings, name)
        source = told.get(name, "default")
        lines.append(f"# {name} is not set" if value is None else f"{name} = {json.dumps(value)}  # {source}")
    return "\n".join(lines) + "\n"
