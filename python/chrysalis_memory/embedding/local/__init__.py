"""The model that runs in this process: taken from a package, checked against pinned digests, run by onnxruntime."""

from __future__ import annotations

from chrysalis_memory.embedding.local.embedder import LocalEmbedder, lacking_packages, missing
from chrysalis_memory.embedding.local.graph import Precision
from chrysalis_memory.embedding.local.installation import Progress, install
from chrysalis_memory.embedding.local.models import MINILM, LocalModel, is_installed, model_folder

__all__ = [
    "MINILM",
    "LocalEmbedder",
    "LocalModel",
    "Precision",
    "Progress",
    "install",
    "is_installed",
    "lacking_packages",
    "missing",
    "model_folder",
]
