"""Files that lie about the weights they hold are refused, and end no process."""

import json
import struct

import numpy
import pytest

from chrysalis_memory import ModelError
from chrysalis_memory.embedding.local.graph import build_graph, weight_shapes
from chrysalis_memory.embedding.local.safetensors import read_tensor, tensor_places

SHAPES = {"a": (2, 3), "b": (4,)}
NUMBERS = numpy.arange(10, dtype="<f4")
HEADER = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "b": {"dtype": "F32", "shape": [4], "data_offsets": [24, 40]},
}


def weights(path, header=None, data=None, length=None):
    text = json.dumps(HEADER if header is None else header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + (data or NUMBERS.tobytes()))
    return path


def test_tensors_are_read_as_they_were_written(tmp_path):
    path = weights(tmp_path / "model.safetensors")
    places = tensor_places(path, SHAPES)
    assert read_tensor(path, places["a"]).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read_tensor(path, places["b"]).tolist() == [6, 7, 8, 9]


def changed(name, **what):
    return {**HEADER, name: {**HEADER[name], **what}}


LIES = {
    "empty": {"header": b"", "data": b"x"},
    "header longer than the file": {"length": 1 << 40},
    "header of negative length": {"length": (1 << 64) - 1},
    "no JSON": {"header": b"{nothing"},
    "deep JSON": {"header": b"[" * 100_000},
    "a list": {"header": b"[]"},
    "no UTF-8": {"header": b'{"\xff": 1}'},
    "truncated": {"data": NUMBERS.tobytes()[:-4]},
    "wrong shape": {"header": changed("a", shape=[3, 2])},
    "negative shape": {"header": changed("a", shape=[-2, -3])},
    "other numbers": {"header": changed("a", dtype="F16")},
    "beyond the end": {"header": changed("a", data_offsets=[24, 48])},
    "before the beginning": {"header": changed("a", data_offsets=[-24, 0])},
    "backwards": {"header": changed("a", data_offsets=[24, 0])},
    "too few bytes": {"header": changed("a", data_offsets=[0, 20])},
    "huge offsets": {"header": changed("a", data_offsets=[1 << 70, (1 << 70) + 24])},
    "offsets of text": {"header": changed("a", data_offsets=["0", "24"])},
    "offsets that are true": {"header": changed("a", data_offsets=[False, True])},
    "no description": {"header": {**HEADER, "a": 5}},
    "missing": {"header": {"b": HEADER["b"]}},
    "a table too long": {"header": {str(number): {} for number in range(10_000)}},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_file_that_lies_about_itself_is_refused(tmp_path, lie):
    path = weights(tmp_path / "model.safetensors", **lie)
    with pytest.raises(ModelError, match=r"model\.safetensors") as caught:
        tensor_places(path, SHAPES)
    assert caught.value.code == "model_damaged"


def test_a_file_of_a_few_bytes_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    for data in (b"", b"1234567", bytes(8)):
        path.write_bytes(data)
        with pytest.raises(ModelError):
            tensor_places(path, SHAPES)


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_weights_of_another_network_build_no_graph(tmp_path, precision):
    path = weights(tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="is missing"):
        build_graph(path, precision)


def test_the_real_weights_are_those_of_the_network(local_model):
    places = tensor_places(local_model / "model.safetensors", weight_shapes())
    assert len(places) == 101
    assert all(numpy.isfinite(read_tensor(local_model / "model.safetensors", place)).all() for place in places.values())
