"""The model that runs in this process: taken from a package, checked against pinned digests, run by onnxruntime.

Importing this loads neither the model nor what fetches it: see `engine` and `installation`.
"""

from __future__ import annotations

from chrysalis_memory.embedding.local.embedder import LocalEmbedder, lacking_packages, missing
from chrysalis_memory.embedding.local.models import MINILM, LocalModel, is_installed, model_folder
from chrysalis_memory.embedding.local.processor import Precision

__all__ = [
    "MINILM",
    "LocalEmbedder",
    "LocalModel",
    "Precision",
    "is_installed",
    "lacking_packages",
    "missing",
    "model_folder",
]
