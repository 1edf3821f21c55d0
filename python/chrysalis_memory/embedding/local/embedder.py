"""The local model as an embedder, and why it may not be there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chrysalis_memory.embedding.local.models import MINILM, LocalModel, is_installed, model_folder
from chrysalis_memory.embedding.local.processor import Precision, best_precision
from chrysalis_memory.errors import ModelError

if TYPE_CHECKING:
    from chrysalis_memory.embedding.local.engine import Engine

__all__ = ["LocalEmbedder", "lacking_packages", "missing"]

_PACKAGES: Final = ("numpy", "onnx", "onnxruntime", "tokenizers")


class LocalEmbedder:
    """all-MiniLM-L6-v2 in this process: 384 dimensions, no network. Loaded with the first text, not before.

    `precision` is `int8` where the processor has products of 8-bit numbers, else `f32`, and part of the name: a text's
    two vectors have a cosine of 0.994 on average, but questions of one precision find less among texts of the other.
    """

    dimensions: int | None
    thread_safe = True
    is_fitted = True  # the confidence of scores was fitted to this model's cosines
    batch_texts = 16  # some 50 ms: how long a recall waits at most for a batch that is under way

    def __init__(
        self, model: LocalModel = MINILM, *, folder: Path | None = None, precision: Precision | None = None
    ) -> None:
        self.precision: Precision = precision or best_precision()
        self.name = f"local:{model.name}/{self.precision}"
        self.dimensions = model.dimensions
        self.model = model
        self.folder = folder or model_folder(model)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector one long for each text, in their order. Raises `ModelError`."""
        vectors: list[list[float]] = self._engine().embed(texts).tolist()
        return vectors

    def require(self) -> None:
        """Raises `ModelError` unless files and packages are there."""
        reason = missing(self.folder, self.model)
        if reason is not None:
            raise ModelError(reason, code="model_missing", hint="See `chrysalis models list`.")

    def _engine(self) -> Engine:
        from chrysalis_memory.embedding.local.engine import engine

        self.require()
        return engine(self.folder, self.model, self.precision)


def missing(folder: Path | None = None, model: LocalModel = MINILM) -> str | None:
    """What the local model lacks here and how to get it; None when it can be used.

    Looks for files and packages, and loads none.
    """
    lacking = lacking_packages()
    if lacking:
        return f"the local model needs {', '.join(lacking)} (`pip install 'chrysalis-memory[local]'`)" + (
            "" if is_installed(folder, model) else " and its weights (`chrysalis models install`)"
        )
    if not is_installed(folder, model):
        return "no embedding model is installed (`chrysalis models install`)"
    return None


def lacking_packages() -> list[str]:
    """Packages that the model needs and that are not there."""
    return [name for name in _PACKAGES if find_spec(name) is None]
