"""Embedders made of functions: of one text or many, blocking or async."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chrysalis_memory import ChrysalisMemory, Embedder, ModelError
from chrysalis_memory.embedding import CallableEmbedder
from chrysalis_memory.embedding.callables import awaited_in
from chrysalis_memory.embedding.protocol import embed_question, embed_texts
from memory_cases import WITHIN_S, bag_of_words, begun_since, found


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
    before, loops = set(threading.enumerate()), set()

    async def embed(text):
        loops.add(asyncio.get_running_loop())
        return await awaited(text)

    embedder = CallableEmbedder(embed)
    assert embed_texts(embedder, ["a", "b"]) == [bag_of_words("a"), bag_of_words("b")]
    assert embed_question(embedder, "c") == bag_of_words("c")
    assert len(loops) == 1
    embedder.close()
    assert begun_since(before) == []


def test_what_an_async_function_raises_is_raised():
    async def embed(_text):
        raise RuntimeError("no model")

    embedder = CallableEmbedder(embed)
    with pytest.raises(RuntimeError, match="no model"):
        embed_texts(embedder, ["a"])
    embedder.close()


def test_a_store_takes_an_async_function_and_ends_its_loop(tmp_path):
    before = set(threading.enumerate())
    with ChrysalisMemory(tmp_path, embedder=awaited) as memory:
        memory.remember("the kiln is hot")
        assert found(memory.recall("kiln", mode="vector")) == ["the kiln is hot"]
    assert begun_since(before) == []


def test_closing_ends_what_is_under_way_and_leaves_nothing_that_was_never_awaited():
    before, begun = set(threading.enumerate()), threading.Event()

    async def embed(_text):
        begun.set()
        await asyncio.Event().wait()

    embedder = CallableEmbedder(embed)
    with ThreadPoolExecutor(2) as callers:
        waiting = [callers.submit(embedder.embed, [text]) for text in "ab"]
        assert begun.wait(WITHIN_S)
        embedder.close()
        for one in waiting:
            with pytest.raises(ModelError, match="has ended"):
                one.result(timeout=WITHIN_S)
    with pytest.raises(ModelError, match="has ended"):
        embedder.embed(["late"])
    embedder.close()
    gc.collect()  # what was never awaited is told of here, and a warning is an error
    assert begun_since(before) == []


def test_who_embeds_while_the_embedder_is_closed_gets_vectors_or_is_told():
    def embed_for_ever(embedder):
        while True:
            assert embedder.embed(["a", "b"]) == [bag_of_words("a"), bag_of_words("b")]

    with ThreadPoolExecutor(3) as callers:
        for _ in range(50):
            embedder = CallableEmbedder(awaited)
            embedding = [callers.submit(embed_for_ever, embedder) for _ in range(3)]
            embedder.close()
            for one in embedding:
                with pytest.raises(ModelError, match="has ended"):
                    one.result(timeout=WITHIN_S)
    gc.collect()


def test_a_loop_that_is_closed_before_it_comes_to_it_is_told_and_leaves_nothing_unawaited():
    for when in ("before", "meanwhile"):
        loop = asyncio.new_event_loop()  # which nobody runs
        with ThreadPoolExecutor(1) as caller:
            if when == "before":
                loop.close()
            asked = caller.submit(awaited_in, loop, awaited("a"))
            loop.close()
            with pytest.raises(ModelError, match="has ended"):
                asked.result(timeout=WITHIN_S)
    gc.collect()


def test_a_call_that_is_cancelled_before_it_began_is_told_and_leaves_nothing_unawaited():
    async def cancel_what_comes():
        while not (others := asyncio.all_tasks() - {asyncio.current_task()}):
            await asyncio.sleep(0)
        for one in others:
            one.cancel()
        await asyncio.wait(others)

    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as caller:
        asked = caller.submit(awaited_in, loop, awaited("a"))
        loop.run_until_complete(cancel_what_comes())
        with pytest.raises(ModelError, match="has ended"):
            asked.result(timeout=WITHIN_S)
    loop.close()
    gc.collect()


def test_a_given_name_is_the_models_name(tmp_path):
    with ChrysalisMemory(tmp_path, embedder=CallableEmbedder(bag_of_words, name="bags/1")) as memory:
        memory.remember("kiln")
        memory.flush()
        assert [model.name for model in memory.vector_models()] == ["bags/1"]
