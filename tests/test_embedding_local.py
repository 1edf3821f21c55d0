"""The local model with its real weights: vectors that an independent computation confirms."""

import json
import math
import os
import subprocess
import sys
import threading
from functools import cache

import numpy
import pytest
from tokenizers import Tokenizer

from chrysalis_memory import ChrysalisMemory, Embedder, ModelError
from chrysalis_memory.embedding import LocalEmbedder, resolve
from chrysalis_memory.embedding.local.engine import graph_path
from chrysalis_memory.embedding.protocol import embed_texts
from memory_cases import found

pytestmark = pytest.mark.usefixtures("local_model")

TEXTS = [
    "",
    " \t\n",
    "kiln",
    "When is the kiln hot enough for glaze G7?",
    "Der Ofen ist heiß; das Gefäß bekam Risse.",
    "窯の温度は千二百四十度です",
    "Печь нагревается медленно",
    "🏺 🔥 e\u0301 \u0000 \ufffd \u202e",
    "The glaze runs above 1200 degrees, and the kiln reaches 1240. " * 6,
    "word " * 2000,
]


def reference(folder, texts):
    """The network written out once more, in numpy, with doubles, one text at a time."""
    path = folder / "model.safetensors"
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])

    @cache
    def weight(name):
        start, end = header[name]["data_offsets"]
        values = numpy.frombuffer(data[begin + start : begin + end], "<f4").astype(numpy.float64)
        return values.reshape(header[name]["shape"])

    def linear(states, name):
        return states @ weight(f"{name}.weight").T + weight(f"{name}.bias")

    def norm(states, name):
        centred = states - states.mean(-1, keepdims=True)
        spread = numpy.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return centred / spread * weight(f"{name}.weight") + weight(f"{name}.bias")

    def heads(states):
        return states.reshape(len(states), 12, 32).transpose(1, 0, 2)

    def softmax(values):
        raised = numpy.exp(values - values.max(-1, keepdims=True))
        return raised / raised.sum(-1, keepdims=True)

    gelu = numpy.vectorize(lambda value: value * 0.5 * (1 + math.erf(value / math.sqrt(2))))

    def vector(ids):
        states = weight("embeddings.word_embeddings.weight")[ids]
        states = states + weight("embeddings.position_embeddings.weight")[: len(ids)]
        states = norm(states + weight("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
        for layer in range(6):
            of = f"encoder.layer.{layer}"
            query, key, value = (heads(linear(states, f"{of}.attention.self.{n}")) for n in ("query", "key", "value"))
            seen = softmax(query @ key.transpose(0, 2, 1) / math.sqrt(32)) @ value
            seen = linear(seen.transpose(1, 0, 2).reshape(len(ids), 384), f"{of}.attention.output.dense")
            states = norm(states + seen, f"{of}.attention.output.LayerNorm")
            inner = linear(gelu(linear(states, f"{of}.intermediate.dense")), f"{of}.output.dense")
            states = norm(states + inner, f"{of}.output.LayerNorm")
        mean = states.mean(0)
        return mean / numpy.linalg.norm(mean)

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    return numpy.array([vector(encoded.ids) for encoded in tokenizer.encode_batch(texts)])


def test_the_vectors_are_those_of_an_independent_computation(local_model):
    vectors = numpy.array(LocalEmbedder(precision="f32").embed(TEXTS))
    assert vectors.shape == (len(TEXTS), 384)
    assert numpy.abs(vectors - reference(local_model, TEXTS)).max() < 1e-5


def test_vectors_of_8_bits_agree_with_those_of_32():
    exact = numpy.array(LocalEmbedder(precision="f32").embed(TEXTS))
    rough = numpy.array(LocalEmbedder(precision="int8").embed(TEXTS))
    cosines = (exact * rough).sum(1)
    assert numpy.abs(numpy.linalg.norm(rough, axis=1) - 1).max() < 1e-5
    assert cosines.min() > 0.95
    assert cosines[2:].mean() > 0.98


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_a_vector_hardly_depends_on_what_it_is_embedded_with(precision):
    embedder = LocalEmbedder(precision=precision)
    together = numpy.array(embedder.embed(TEXTS))
    alone = numpy.array([embedder.embed([text])[0] for text in TEXTS])
    assert (together * alone).sum(1).min() > 0.95


def test_only_the_first_256_tokens_count():
    embedder = LocalEmbedder()
    long, longer = embedder.embed(["kiln " * 254]), embedder.embed(["kiln " * 254 + "ferry " * 100])
    assert long == longer


def test_it_is_an_embedder_and_chosen_by_name_and_by_itself():
    assert isinstance(LocalEmbedder(), Embedder)
    for name in ("auto", "local", "local:all-MiniLM-L6-v2"):
        choice = resolve(name)
        assert (choice.embedder.name, choice.embedder.dimensions) == (LocalEmbedder().name, 384)
        assert choice.missing is None


def test_vectors_of_the_two_precisions_have_two_names():
    names = {resolve(f"local:all-MiniLM-L6-v2/{precision}").embedder.name for precision in ("int8", "f32")}
    assert names == {"local:all-MiniLM-L6-v2/int8", "local:all-MiniLM-L6-v2/f32"}
    assert LocalEmbedder().name in names


def test_a_store_from_a_machine_of_the_other_kind_is_embedded_anew(tmp_path):
    own = LocalEmbedder().precision
    other = LocalEmbedder(precision="f32" if own == "int8" else "int8")
    with ChrysalisMemory(tmp_path, embedder=other) as memory:
        memory.remember("The oven is hot")
        memory.flush()
    with ChrysalisMemory(tmp_path) as memory:
        memory.flush()
        assert [model.name for model in memory.vector_models()] == [other.name, LocalEmbedder().name]


def test_nothing_to_embed_gives_nothing():
    assert LocalEmbedder().embed([]) == []


def test_what_is_meant_is_found_without_a_shared_word(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="local") as memory:
        for text in ("The oven is hot", "Rain is coming tomorrow", "Ines bought a bicycle"):
            memory.remember(text)
        memory.flush()
        recall = memory.recall("what will the weather be like?", mode="vector")
        assert found(recall)[0] == "Rain is coming tomorrow"
        assert memory.stats().embedder == LocalEmbedder().name
        assert memory.stats().vectors == 3


def test_threads_may_ask_at_once():
    embedder = LocalEmbedder()
    expected = {text: embedder.embed([text])[0] for text in TEXTS}
    wrong = []

    def ask(text):
        wrong.extend(text for _ in range(5) if embedder.embed([text])[0] != expected[text])

    threads = [threading.Thread(target=ask, args=[text]) for text in TEXTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_the_model_is_loaded_with_the_first_text_and_not_before(tmp_path):
    program = (
        "import sys\n"
        "from chrysalis_memory import ChrysalisMemory\n"
        "packages = ('onnx', 'onnxruntime', 'tokenizers', 'numpy')\n"
        "def loaded(): return [name for name in packages if name in sys.modules]\n"
        "with ChrysalisMemory(sys.argv[1], embedder='local') as memory:\n"
        "    print(loaded())\n"
        "    memory.remember('the kiln')\n"
        "    memory.flush()\n"
        "    print(loaded())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "store")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.splitlines() == ["[]", "['onnxruntime', 'tokenizers', 'numpy']"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_can_embed():
    program = (
        "import os\n"
        "from chrysalis_memory.embedding import LocalEmbedder\n"
        "before = LocalEmbedder().embed(['kiln'])\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if LocalEmbedder().embed(['kiln']) == before else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "0\n"


def copied(local_model, folder):
    folder.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        os.link(local_model / name, folder / name)
    return folder


def test_a_damaged_graph_is_built_again(local_model, tmp_path):
    folder = copied(local_model, tmp_path / "model")
    path = graph_path(folder, "int8")
    path.write_bytes(b"not a graph" * 100)
    assert len(LocalEmbedder(folder=folder, precision="int8").embed(["kiln"])[0]) == 384
    assert path.stat().st_size > 20_000_000


def test_damaged_weights_are_refused_with_both_digests(local_model, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "tokenizer.json").write_bytes((local_model / "tokenizer.json").read_bytes())
    data = bytearray((local_model / "model.safetensors").read_bytes())
    data[50_000_000] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match="53aa51172d142c89") as caught:
        LocalEmbedder(folder=folder).embed(["kiln"])
    assert caught.value.code == "model_damaged"
    assert caught.value.found != caught.value.wanted


def test_without_its_files_it_says_what_to_run(tmp_path):
    with pytest.raises(ModelError, match="chrysalis models install") as caught:
        embed_texts(LocalEmbedder(folder=tmp_path), ["kiln"])
    assert caught.value.code == "model_missing"


def test_a_store_without_the_model_finds_words_and_says_what_is_lacking(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with ChrysalisMemory(tmp_path / "store") as memory:
        memory.remember("the kiln")
        recall = memory.recall("kiln")
        assert found(recall) == ["the kiln"]
        assert "chrysalis models install" in recall.outcome.reasons[0]
        assert memory.stats().embedder is None
