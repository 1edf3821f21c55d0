"""Running the model: texts to tokens, tokens to vectors, once loaded in this process and shared by all its stores."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chrysalis_memory._files import written_whole
from chrysalis_memory.embedding.local.graph import (
    GRAPH_VERSION,
    INPUT_IDS,
    INPUT_MASK,
    OUTPUT,
    build_graph,
)
from chrysalis_memory.embedding.local.models import TOKENIZER, WEIGHTS, LocalModel, check_file
from chrysalis_memory.embedding.local.processor import Precision, threads
from chrysalis_memory.errors import ModelError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["Engine", "engine", "graph_path", "prepare_graph"]

_BATCH_TOKENS: Final = 2048
"""Tokens in one run, padding included: more gain no speed and make a question wait longer."""

_DIGEST_BYTES: Final = 32


def graph_path(folder: Path, precision: Precision) -> Path:
    """Where the graph lies, beside the weights that it was built from."""
    return folder / f"graph-{GRAPH_VERSION}-{precision}.onnx"


def prepare_graph(folder: Path, model: LocalModel, precision: Precision) -> bytes:
    """The graph, from its file, or built from the weights if that is missing or damaged.

    The file ends with the SHA-256 of what stands before. Raises `ModelError` for damaged weights.
    """
    path = graph_path(folder, precision)
    with suppress(OSError):
        kept = path.read_bytes()
        graph, digest = kept[:-_DIGEST_BYTES], kept[-_DIGEST_BYTES:]
        if hashlib.sha256(graph).digest() == digest:
            return graph
    check_file(folder / WEIGHTS, model.files[WEIGHTS].sha256)
    graph = build_graph(folder / WEIGHTS, precision)
    # A folder that takes no writes costs building it anew in each process, and nothing else.
    with suppress(OSError), written_whole(path) as file:
        file.write(graph + hashlib.sha256(graph).digest())
    return graph


# By process: a forked child has neither the threads of its parent's model nor the holder of a lock that was held.
_locks: dict[int, threading.Lock] = {}
_loaded: dict[tuple[int, Path, str, Precision], Engine] = {}


def engine(folder: Path, model: LocalModel, precision: Precision) -> Engine:
    """The model, loaded by the first that asks in this process."""
    process = os.getpid()
    with _locks.setdefault(process, threading.Lock()):
        key = (process, folder, model.name, precision)
        if key not in _loaded:
            _loaded[key] = Engine(folder, model, precision)
        return _loaded[key]


class Engine:
    """A loaded model. Many threads may ask it at once."""

    def __init__(self, folder: Path, model: LocalModel, precision: Precision) -> None:
        self._model = model
        try:
            check_file(folder / TOKENIZER, model.files[TOKENIZER].sha256)
            graph = prepare_graph(folder, model, precision)
            if precision == "f32":
                check_file(folder / WEIGHTS, model.files[WEIGHTS].sha256)
            self._tokenizer = _tokenizer(folder / TOKENIZER, model.tokens_max)
            self._session = _session(graph, folder)
        except ImportError as error:
            raise without_packages(error) from error

    def embed(self, texts: Sequence[str]) -> NDArray[numpy.float32]:
        """A row for each text, in their order, each one long; text after the model's last token does not count."""
        import numpy

        tokens = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        vectors = numpy.zeros((len(tokens), self._model.dimensions), numpy.float32)
        for rows in _batches([len(ids) for ids in tokens]):
            vectors[rows] = self._run([tokens[row] for row in rows])
        return vectors

    def _run(self, tokens: Sequence[Sequence[int]]) -> Any:
        import numpy

        longest = max(map(len, tokens))
        ids = numpy.zeros((len(tokens), longest), numpy.int64)
        mask = numpy.zeros((len(tokens), longest), numpy.int32)
        for row, own in enumerate(tokens):
            ids[row, : len(own)] = own
            mask[row, : len(own)] = 1
        return self._session.run([OUTPUT], {INPUT_IDS: ids, INPUT_MASK: mask})[0]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The texts' numbers in groups of like length: each is padded to its group's longest only."""
    group: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[number] > _BATCH_TOKENS:
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def _tokenizer(path: Path, tokens_max: int) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(tokens_max)
    return tokenizer


def _session(graph: bytes, folder: Path) -> Any:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between runs would take the agent's core for nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def without_packages(error: ImportError) -> ModelError:
    """What to do when the packages that run the model are not there."""
    return ModelError(
        f"the local model needs packages that are not installed ({error})",
        code="model_packages_missing",
        hint="Install them with `pip install 'chrysalis-memory[local]'`.",
    )
