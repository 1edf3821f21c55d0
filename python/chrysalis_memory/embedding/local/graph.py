"""The model as a graph that onnxruntime runs, built from its weights: once in 32 bits, once in 8.

The network is BERT as its paper has it (Devlin et al. 2018, arXiv:1810.04805), of six layers, then the mean over
the tokens, made one long (Reimers and Gurevych 2019, arXiv:1908.10084).

In 32 bits the graph has no numbers of its own: it names places in the file of the weights. In 8 bits each column of
a matrix, and each word's row, has a scale; what flows between is quantised as it comes (dynamic quantisation).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chrysalis_memory.embedding.local.processor import Precision
from chrysalis_memory.embedding.local.safetensors import read_tensor, tensor_places

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["GRAPH_VERSION", "INPUT_IDS", "INPUT_MASK", "OUTPUT", "build_graph", "weight_shapes"]

GRAPH_VERSION: Final = 1
"""Part of the file's name: a graph that an earlier version built is not used by a later one."""

INPUT_IDS: Final = "ids"
INPUT_MASK: Final = "mask"
OUTPUT: Final = "vector"

_LAYERS: Final = 6
_HEADS: Final = 12
_WIDTH: Final = 384
_INNER: Final = 1536
_WORDS: Final = 30522
_POSITIONS: Final = 512
_EPSILON: Final = 1e-12
_LARGEST: Final = 127
_TINY: Final = 1e-9

# Operators of onnxruntime itself, beside the standard ones.
_FUSED: Final = "com.microsoft"

_WORD: Final = "embeddings.word_embeddings"
_POSITION: Final = "embeddings.position_embeddings"
_KIND: Final = "embeddings.token_type_embeddings"


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """Every tensor that the graph is made of, with its shape."""
    shapes: dict[str, tuple[int, ...]] = {
        f"{_WORD}.weight": (_WORDS, _WIDTH),
        f"{_POSITION}.weight": (_POSITIONS, _WIDTH),
        f"{_KIND}.weight": (2, _WIDTH),
        **_norm_shapes("embeddings.LayerNorm"),
    }
    for layer in range(_LAYERS):
        of = f"encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            shapes |= _linear_shapes(f"{of}.attention.self.{name}", _WIDTH, _WIDTH)
        shapes |= _linear_shapes(f"{of}.attention.output.dense", _WIDTH, _WIDTH)
        shapes |= _linear_shapes(f"{of}.intermediate.dense", _INNER, _WIDTH)
        shapes |= _linear_shapes(f"{of}.output.dense", _WIDTH, _INNER)
        shapes |= _norm_shapes(f"{of}.attention.output.LayerNorm") | _norm_shapes(f"{of}.output.LayerNorm")
    return shapes


def _linear_shapes(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm_shapes(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (_WIDTH,), f"{name}.bias": (_WIDTH,)}


def build_graph(weights: Path, precision: Precision) -> bytes:
    """The graph as the bytes of an ONNX file; in `f32` it must be loaded from the folder of the weights.

    Raises `ModelError` if the weights are not those of this network, and `ImportError` without the package `onnx`.
    """
    graph = _Exact(weights) if precision == "f32" else _Quantised(weights)
    states = graph.norm("embeddings.LayerNorm", _embedded(graph))
    for layer in range(_LAYERS):
        states = _layer(graph, f"encoder.layer.{layer}", states)
    _pooled(graph, states)
    return graph.to_bytes()


def _embedded(graph: _Graph) -> str:
    words = graph.words(f"{_WORD}.weight")
    places = graph.put(f"{_POSITION}.weight", f"{_KIND}.weight")
    length = graph.add("Shape", INPUT_IDS, start=1, end=2)
    return graph.add("Add", words, graph.add("Slice", places, graph.whole(0), length, graph.whole(0)))


def _layer(graph: _Graph, of: str, states: str) -> str:
    joined = graph.linear(states, *(f"{of}.attention.self.{name}" for name in ("query", "key", "value")))
    query, key, value = graph.split(joined)
    seen = graph.add("MultiHeadAttention", query, key, value, "", INPUT_MASK, domain=_FUSED, num_heads=_HEADS)
    seen = graph.linear(seen, f"{of}.attention.output.dense")
    states = graph.norm(f"{of}.attention.output.LayerNorm", graph.add("Add", seen, states))
    inner = graph.add("Gelu", graph.linear(states, f"{of}.intermediate.dense"), domain=_FUSED)
    inner = graph.linear(inner, f"{of}.output.dense")
    return graph.norm(f"{of}.output.LayerNorm", graph.add("Add", inner, states))


def _pooled(graph: _Graph, states: str) -> None:
    # The mean differs from the sum by a factor only, and making the vector one long takes every factor away.
    mask = graph.add("Unsqueeze", graph.add("Cast", INPUT_MASK, to=graph.float_type), graph.whole(-1))
    total = graph.add("ReduceSum", graph.add("Mul", states, mask), graph.whole(1), keepdims=0)
    graph.add("LpNormalization", total, axis=-1, p=2, output=OUTPUT)


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self, weights: Path) -> None:
        from onnx import TensorProto, helper, numpy_helper

        self._helper = helper
        self._numpy_helper = numpy_helper
        self.float_type = int(TensorProto.FLOAT)
        self._types = TensorProto
        self._weights = weights
        self._places = tensor_places(weights, weight_shapes())
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def tensor(self, name: str) -> NDArray[numpy.float32]:
        return read_tensor(self._weights, self._places[name])

    def add(self, operator: str, *inputs: str, domain: str = "", output: str | None = None, **attributes: Any) -> str:
        """One node; the name of its output."""
        name = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, list(inputs), [name], domain=domain, **attributes))
        return name

    def split(self, joined: str) -> tuple[str, str, str]:
        """Three equal parts of the last dimension."""
        first, second, third = (f"{joined}_{part}" for part in range(3))
        node = self._helper.make_node("Split", [joined], [first, second, third], axis=-1, num_outputs=3)
        self._nodes.append(node)
        return first, second, third

    def constant(self, name: str, values: NDArray[Any]) -> str:
        if name not in self._constants:
            self._constants[name] = self._numpy_helper.from_array(values, name)
        return name

    def whole(self, value: int) -> str:
        """One whole number, as shapes and axes need it."""
        import numpy

        return self.constant(f"whole_{value}", numpy.array([value], numpy.int64))

    def norm(self, name: str, states: str) -> str:
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", states, scale, shift, axis=-1, epsilon=_EPSILON)

    def put(self, positions: str, kinds: str) -> str:
        """What is added to a word for its place; all text is of the first kind."""
        return self.constant("places", self.tensor(positions) + self.tensor(kinds)[0])

    def weight(self, name: str) -> str:
        return self.constant(name, self.tensor(name))

    def words(self, table: str) -> str:
        raise NotImplementedError

    def linear(self, states: str, *names: str) -> str:
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        info = self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes,
            "sentence",
            [
                info(INPUT_IDS, self._types.INT64, ["texts", "tokens"]),
                info(INPUT_MASK, self._types.INT32, ["texts", "tokens"]),
            ],
            [info(OUTPUT, self._types.FLOAT, ["texts", _WIDTH])],
            list(self._constants.values()),
        )
        versions = [self._helper.make_opsetid("", 18), self._helper.make_opsetid(_FUSED, 1)]
        model: bytes = self._helper.make_model(graph, opset_imports=versions, ir_version=9).SerializeToString()
        return model


class _Exact(_Graph):
    """32 bits: constants are places in the file of the weights."""

    def weight(self, name: str) -> str:
        if name not in self._constants:
            start, shape = self._places[name]
            constant = self._types(name=name, dims=shape, data_type=self.float_type)
            constant.data_location = self._types.EXTERNAL
            size = self.tensor(name).nbytes
            for key, value in (("location", self._weights.name), ("offset", start), ("length", size)):
                constant.external_data.add(key=key, value=str(value))
            self._constants[name] = constant
        return name

    def words(self, table: str) -> str:
        return self.add("Gather", self.weight(table), INPUT_IDS)

    def linear(self, states: str, *names: str) -> str:
        # Of constants: computed once, when the graph is loaded.
        columns = self.add("Transpose", self._joined([f"{name}.weight" for name in names]), perm=[1, 0])
        bias = self._joined([f"{name}.bias" for name in names])
        return self.add("Add", self.add("MatMul", states, columns), bias)

    def _joined(self, names: Sequence[str]) -> str:
        weights = [self.weight(name) for name in names]
        return weights[0] if len(weights) == 1 else self.add("Concat", *weights, axis=0)


class _Quantised(_Graph):
    """8 bits: constants are whole numbers from -127 to 127, with a scale for each column of a matrix."""

    def words(self, table: str) -> str:
        whole, scale = _quantised(self.tensor(table), axis=1)
        numbers = self.add("Gather", self.constant(f"{table}.whole", whole), INPUT_IDS)
        scales = self.add("Gather", self.constant(f"{table}.scale", scale), INPUT_IDS)
        return self.add("Mul", self.add("Cast", numbers, to=self.float_type), scales)

    def linear(self, states: str, *names: str) -> str:
        import numpy

        weight = numpy.concatenate([self.tensor(f"{name}.weight") for name in names])
        bias = numpy.concatenate([self.tensor(f"{name}.bias") for name in names])
        whole, scale = _quantised(numpy.ascontiguousarray(weight.T), axis=0)
        inputs = (
            self.constant(f"{names[0]}.whole", whole),
            self.constant(f"{names[0]}.scale", scale.reshape(-1)),
            "",
            self.constant(f"{names[0]}.joined_bias", bias),
        )
        return self.add("DynamicQuantizeMatMul", states, *inputs, domain=_FUSED)


def _quantised(values: NDArray[numpy.float32], axis: int) -> tuple[NDArray[numpy.int8], NDArray[numpy.float32]]:
    import numpy

    scale = numpy.maximum(numpy.abs(values).max(axis=axis, keepdims=True) / _LARGEST, _TINY)
    return numpy.rint(values / scale).astype(numpy.int8), scale.astype(numpy.float32)
