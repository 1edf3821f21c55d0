"""One memory that can't be embedded does not keep the others from it."""

import logging

import pytest

from chrysalis_memory import ChrysalisMemory, LinkError, ModelError
from chrysalis_memory.embedding.apart import embed_apart, is_away
from memory_cases import bag_of_words, eventually, found


class Picky:
    """An embedder that refuses some texts."""

    name = "picky"

    def __init__(self, *refused, error=None):
        self.refused = refused
        self.error = error or ValueError("this text cannot be embedded")
        self.calls = 0

    def embed(self, texts):
        self.calls += 1
        if any(word in text for word in self.refused for text in texts):
            raise self.error
        return [bag_of_words(text) for text in texts]


def test_the_one_to_blame_is_found_and_the_others_get_their_vectors():
    embedder = Picky("poison")
    texts = [[f"note {number}"] for number in range(20)]
    texts[13] = ["fine", "poison"]
    answers = embed_apart(embedder, texts)
    assert [isinstance(answer, ValueError) for answer in answers] == [number == 13 for number in range(20)]
    assert answers[7] == [bag_of_words("note 7")]
    assert embedder.calls < 20


def test_an_embedder_that_fails_for_everything_is_asked_twice_and_not_searched():
    embedder = Picky("")
    with pytest.raises(ValueError, match="cannot be embedded"):
        embed_apart(embedder, [[f"note {number}"] for number in range(64)])
    assert embedder.calls == 2


def test_a_server_that_is_away_is_not_searched_for_a_text_to_blame():
    embedder = Picky("7", error=LinkError("away"))
    with pytest.raises(LinkError):
        embed_apart(embedder, [[f"note {number}"] for number in range(64)])
    assert embedder.calls == 1


def test_which_errors_mean_that_the_embedder_cannot_work_now():
    away = [LinkError("away"), ModelError("no key", code="model_key_refused"), ConnectionResetError()]
    own = [ModelError("too long", code="model_refused"), ValueError(), RuntimeError()]
    assert [is_away(error) for error in away + own] == [True] * 3 + [False] * 3


def test_a_store_goes_on_around_a_memory_that_cannot_be_embedded(tmp_path, caplog):
    embedder = Picky("poison")
    with caplog.at_level(logging.WARNING), ChrysalisMemory(tmp_path, embedder=embedder) as memory:
        with memory.batch():
            for number in range(40):
                memory.remember("the poison is strong" if number == 11 else f"note {number}")
        assert eventually(lambda: memory.stats().vectors == 39)
        memory.flush()
        calls = embedder.calls
        for _ in range(20):
            memory.flush()
        assert embedder.calls == calls
        assert found(memory.recall("poison", mode="text")) == ["the poison is strong"]
        recall = memory.recall("note 5")
        assert found(recall)[0] == "note 5"
        assert recall.outcome.complete is False
        assert len([one for one in caplog.records if "cannot be embedded" in one.message]) == 1
        memory.update(memory.recall("poison", mode="text")[0].id, content="the cure is strong")
        memory.flush()
        assert memory.stats().vectors_pending == 0
