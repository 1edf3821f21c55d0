"""One embedder for every system: each text is embedded once in a run, and the seconds that takes are counted."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from chrysalis_memory import ModelError
from chrysalis_memory.embedding import Embedder, resolve

__all__ = ["SharedEmbedder", "make"]


class SharedEmbedder:
    """Asks the embedder beneath it only for texts that it has not seen."""

    def __init__(self, beneath: Embedder, file: Path | None = None) -> None:
        self.name = beneath.name
        self.seconds = 0.0
        """What the embedder beneath has taken so far."""
        self._beneath = beneath
        self._file = file
        self._kept: dict[str, list[float]] = {} if file is None else _read(file, beneath.name)

    @property
    def dimensions(self) -> int:
        """How long a vector is."""
        return len(self.embed(["length"])[0])

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text, in their order."""
        # Batches of one length are the fastest, whatever the embedder does with them.
        unseen = sorted({text for text in texts if _key(text) not in self._kept}, key=len)
        for start in range(0, len(unseen), 64):
            self._keep(unseen[start : start + 64])
        return [self._kept[_key(text)] for text in texts]

    def _keep(self, texts: Sequence[str]) -> None:
        began = time.perf_counter()
        vectors = self._beneath.embed(texts)
        self.seconds += time.perf_counter() - began
        for text, vector in zip(texts, vectors, strict=True):
            self._kept[_key(text)] = [float(value) for value in vector]

    def save(self) -> None:
        """Keeps the vectors for the next run, where a file was named for them."""
        if self._file is not None:
            import numpy

            numpy.savez(self._file, name=self.name, keys=list(self._kept), rows=list(self._kept.values()))

    def matrix(self, texts: Sequence[str]) -> Any:
        """The vectors as rows of length 1."""
        import numpy

        rows = numpy.asarray(self.embed(texts), numpy.float32)
        return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _key(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _read(file: Path, name: str) -> dict[str, list[float]]:
    """What an earlier run kept of the same model; nothing where there is none."""
    if not file.exists():
        return {}
    import numpy

    with numpy.load(file) as kept:
        if str(kept["name"]) != name:
            return {}
        return dict(zip(kept["keys"].tolist(), kept["rows"].tolist(), strict=True))


def make(wanted: str, file: Path | None = None) -> SharedEmbedder | None:
    """An embedder by any name that `ChrysalisMemory` knows, or `module:callable` that makes one.

    None for `none`, and for `auto` where no model is installed. With a `file`, vectors are taken from there, and
    `save` keeps them. Raises `RuntimeError` where the named one is not to be had.
    """
    module, _, maker = wanted.partition(":")
    if maker and importlib.util.find_spec(module) is not None:
        return SharedEmbedder(getattr(importlib.import_module(module), maker)(), file)
    try:
        embedder = resolve(wanted).embedder
    except ModelError as error:
        raise RuntimeError(f"{error}; `--embedder none` measures words alone") from error
    return None if embedder is None else SharedEmbedder(embedder, file)
