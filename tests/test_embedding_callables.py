"""Embedders made of functions: of one text or many, blocking or async."""

import asyncio
import threading

import pytest

from chrysalis_memory import ChrysalisMemory, Embedder
from chrysalis_memory.embedding import CallableEmbedder
from chrysalis_memory.embedding.protocol import embed_question, embed_texts
from memory_cases import bag_of_words, found


async def awaited(text):
    await asyncio.sleep(0)
    return bag_of_words(text)


def test_a_function_of_one_text_is_called_for_each():
    embedder = CallableEmbedder(bag_of_words)
    assert isinstance(embedder, Embedder)
    assert embed_texts(embedder, ["a", "b"]) == [bag_of_words("a"), bag_of_words("b")]
    assert embed_question(embedder, "a") == bag_of_words("a")


def test_a_function_of_many_texts_is_called_once():
    calls = []

    def many(texts):
        calls.append(texts)
        return [bag_of_words(text) for text in texts]

    embedder = CallableEmbedder(many, many=True, name="many")
    assert embed_texts(embedder, ["a", "b"]) == [bag_of_words("a"), bag_of_words("b")]
    assert calls == [["a", "b"]]
    assert embed_question(embedder, "a") == bag_of_words("a")


def test_questions_may_be_embedded_differently():
    embedder = CallableEmbedder(lambda _: [1.0, 0.0], query=lambda _: [0.0, 1.0], name="two")
    assert (embed_texts(embedder, ["a"]), embed_question(embedder, "a")) == ([[1.0, 0.0]], [0.0, 1.0])


def test_an_async_function_runs_in_one_loop_of_its_own():
    loops = set()

    async def embed(text):
        loops.add(asyncio.get_running_loop())
        return await awaited(text)

    embedder = CallableEmbedder(embed)
    assert embed_texts(embedder, ["a", "b"]) == [bag_of_words("a"), bag_of_words("b")]
    assert embed_question(embedder, "c") == bag_of_words("c")
    assert len(loops) == 1
    embedder.close()
    assert [thread for thread in threading.enumerate() if thread.name == "chrysalis-embedder"] == []


def test_what_an_async_function_raises_is_raised():
    async def embed(_text):
        raise RuntimeError("no model")

    embedder = CallableEmbedder(embed)
    with pytest.raises(RuntimeError, match="no model"):
        embed_texts(embedder, ["a"])
    embedder.close()


def test_a_store_takes_an_async_function_and_ends_its_loop(tmp_path):
    with ChrysalisMemory(tmp_path, embedder=awaited) as memory:
        memory.remember("the kiln is hot")
        assert found(memory.recall("kiln", mode="vector")) == ["the kiln is hot"]
    assert [thread for thread in threading.enumerate() if thread.name == "chrysalis-embedder"] == []


def test_a_given_name_is_the_models_name(tmp_path):
    with ChrysalisMemory(tmp_path, embedder=CallableEmbedder(bag_of_words, name="bags/1")) as memory:
        memory.remember("kiln")
        memory.flush()
        assert [model.name for model in memory.vector_models()] == ["bags/1"]
