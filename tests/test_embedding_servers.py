"""Embedders behind a server, against a server that speaks their protocols and fails in every way."""

import logging
from contextlib import ExitStack
from time import monotonic

import pytest

from chrysalis_memory import ChrysalisMemory, Config, LinkError, LinkTimeout, ModelError, PeerMisbehaved, Unreachable
from chrysalis_memory.embedding import OllamaEmbedder, OpenAIEmbedder
from chrysalis_memory.embedding.protocol import embed_question, embed_texts
from embedding_server import EmbeddingServer, drips, hangs, huge, raw, running, serving, status
from memory_cases import WITHIN_S, bag_of_words, eventually, found

KEY = "sk-very-secret-4471"


@pytest.fixture
def server():
    with running() as started:
        yield started


def ollama(server, **settings):
    return OllamaEmbedder("all-minilm", **{"base_url": server.url, "timeout_s": WITHIN_S, **settings})


def openai(server, **settings):
    return OpenAIEmbedder("any", **{"base_url": f"{server.url}/v1", "key": KEY, "timeout_s": WITHIN_S, **settings})


KINDS = [ollama, openai]


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_come_in_the_order_of_the_texts(server, kind):
    texts = ["the kiln", "Öfen, 窯, печь 🏺\x00\u202e", "word " * 2_000, "x" * 10_000]
    assert embed_texts(kind(server), texts) == [pytest.approx(bag_of_words(text)) for text in texts]
    assert embed_question(kind(server), "a kiln") == pytest.approx(bag_of_words("a kiln"))
    assert kind(server).embed([""]) == [[0.0] * 64]


def test_texts_and_questions_are_told_apart_as_the_model_wants_it(server):
    embedder = OllamaEmbedder("nomic-embed-text:v1.5", base_url=server.url)
    embedder.embed(["the kiln is hot"])
    embedder.embed_query("which kiln?")
    assert server.texts == ["search_document: the kiln is hot", "search_query: which kiln?"]
    assert {request["model"] for request in server.requests} == {"nomic-embed-text:v1.5"}


def test_other_prefixes_make_another_model(server):
    usual, own = ollama(server), ollama(server, text_prefix="passage: ", query_prefix="query: ")
    assert usual.name == "ollama:all-minilm"
    assert own.name != usual.name
    own.embed(["kiln"])
    own.embed_query("kiln")
    assert server.texts == ["passage: kiln", "query: kiln"]


def test_the_key_is_sent_and_shown_nowhere(server, caplog):
    server.faults = [status(401), lambda handler: handler.answer({"error": f"bad key {KEY}"}, 403)]
    embedder = openai(server)
    for _ in range(2):
        with pytest.raises(ModelError) as caught:
            embedder.embed(["kiln"])
        assert caught.value.code == "model_key_refused"
        assert KEY not in str(caught.value) + repr(caught.value.to_dict())
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert KEY not in repr(embedder) + repr(Config(embedder_key=KEY)) + caplog.text


def test_a_key_without_encryption_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        OpenAIEmbedder("any", base_url="http://models.example/v1", key=KEY)
    assert "without encryption" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_a_server_that_stumbles_is_asked_again(server, kind, code):
    server.faults = [status(code), status(code)]
    assert len(embed_texts(kind(server), ["kiln"])) == 1
    assert len(server.requests) == 3


def test_a_server_that_asks_to_wait_is_left_alone_for_so_long(server):
    server.faults = [status(429, Retry_After="0.3")]
    began = monotonic()
    ollama(server).embed(["kiln"])
    assert monotonic() - began >= 0.3


def test_a_question_does_not_wait_longer_than_an_agent_would(server):
    server.faults = [status(429, Retry_After="30")]
    with pytest.raises(LinkError) as caught:
        ollama(server).embed_query("kiln")
    assert (caught.value.code, caught.value.data["retry_after_s"]) == ("busy", 30.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_away_is_named_with_what_to_do(kind):
    with EmbeddingServer() as away, pytest.raises(Unreachable, match="does not answer") as caught:
        kind(away).embed_query("kiln")
    assert "Start the server" in caught.value.hint


@pytest.mark.parametrize("fault", [hangs, drips])
def test_a_slow_server_is_not_waited_for_longer_than_the_timeout(server, fault):
    server.faults = [fault] * 100
    with pytest.raises(LinkTimeout):
        ollama(server, timeout_s=0.3).embed_query("kiln")


GARBAGE = {
    "no JSON": raw(b"<html>"),
    "deep JSON": raw(b"[" * 100_000),
    "cut short": raw(b'{"embeddings": [[1', length=1000),
    "a list": raw(b"[]"),
    "too few": raw(b'{"embeddings": [], "data": []}'),
    "no list": raw(b'{"embeddings": 5, "data": {"a": 1}}'),
    "no HTTP": lambda handler: handler.wfile.write(b"hello\r\n\r\n"),
    "huge": huge,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_refused_as_a_fault_of_the_server(server, kind, fault):
    server.faults = [fault] * 20
    with pytest.raises(PeerMisbehaved):
        kind(server).embed_query("kiln")


def test_vectors_that_are_not_numbered_are_not_guessed_at(server):
    rows = [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [2.0]}]
    server.faults = [lambda handler: handler.answer({"data": rows})]
    with pytest.raises(PeerMisbehaved, match="number"):
        openai(server).embed(["kiln", "ferry"])


@pytest.mark.parametrize("vector", [["a"], [float("nan"), 1.0], [], [0.0, 0.0], None, [[1.0]], {"a": 1}])
def test_vectors_that_are_none_are_refused(server, vector):
    server.faults = [lambda handler: handler.answer({"embeddings": [vector]})]
    with pytest.raises(ValueError, match="ollama:all-minilm"):
        embed_texts(ollama(server), ["kiln"])


def test_redirections_are_not_followed(server):
    server.faults = [status(302, Location="http://127.0.0.1:1/elsewhere")]
    with pytest.raises(ModelError, match="redirections"):
        openai(server).embed_query("kiln")
    assert len(server.requests) == 1


def test_an_unknown_model_says_how_to_get_it(server):
    server.faults = [status(404)]
    with pytest.raises(ModelError) as caught:
        ollama(server).embed_query("kiln")
    assert (caught.value.code, "ollama pull" in caught.value.hint) == ("model_missing", True)


@pytest.mark.parametrize(
    "url", ["", "localhost:11434", "ftp://here", "http://", "http://user:pass@here", "http://a?b=c"]
)
def test_an_address_that_is_none_is_refused_at_once(url):
    with pytest.raises(ValueError, match="address"):
        OllamaEmbedder("any", base_url=url)


def test_names_tell_models_and_servers_apart(server):
    names = {ollama(server).name, openai(server).name, OpenAIEmbedder("any").name, OllamaEmbedder("any").name}
    assert len(names) == 4


# In a store.


def test_a_store_embeds_by_a_server_named_in_its_settings(server, tmp_path):
    with ChrysalisMemory(
        tmp_path, embedder="ollama:nomic-embed-text", config=Config(embedder_url=server.url)
    ) as memory:
        memory.remember("the kiln is hot")
        assert found(memory.recall("hot kiln", mode="vector")) == ["the kiln is hot"]
        assert memory.stats().embedder == "ollama:nomic-embed-text"
    assert "search_query: hot kiln" in server.texts


def test_memories_are_stored_while_the_server_is_away_and_embedded_once_it_is_back(tmp_path):
    with EmbeddingServer() as server, ExitStack() as stack:
        settings = Config(embedder_url=server.url, access_flush_s=0.1)
        memory = stack.enter_context(ChrysalisMemory(tmp_path, embedder="ollama:all-minilm", config=settings))
        memory.remember("the kiln is hot")
        recall = memory.recall("kiln")
        assert found(recall) == ["the kiln is hot"]
        assert f"{server.url.removeprefix('http://')} does not answer" in recall.outcome.reasons[0]
        assert "words alone" in recall.outcome.reasons[0]
        with serving(server):
            assert eventually(lambda: memory.stats().vectors_pending == 0)
            assert eventually(lambda: memory.recall("kiln").outcome.complete)


def test_a_recall_does_not_ask_a_server_that_just_failed(tmp_path):
    with running() as server:
        settings = Config(embedder_url=server.url, access_flush_s=60)
        with ChrysalisMemory(tmp_path, embedder="ollama:all-minilm", config=settings) as memory:
            memory.remember("the kiln is hot")
            memory.flush()
            server.faults = [status(401)] * 100
            asked = len(server.requests)
            for _ in range(10):
                recall = memory.recall("kiln")
                assert found(recall) == ["the kiln is hot"]
            assert len(server.requests) - asked == 1
            assert "next try in" in recall.outcome.reasons[0]


def test_closing_does_not_wait_for_a_server_that_hangs(server, tmp_path):
    server.faults = [hangs] * 100
    settings = Config(embedder_url=server.url, embedder_timeout_s=3_600)
    memory = ChrysalisMemory(tmp_path, embedder="ollama:all-minilm", config=settings)
    memory.remember("the kiln is hot")
    assert server.arrived.wait(WITHIN_S)
    memory.close()
    assert not server.released.is_set()


def test_another_length_under_the_same_name_is_refused_and_harms_nothing(server, tmp_path):
    with ChrysalisMemory(tmp_path, embedder="ollama:all-minilm", config=Config(embedder_url=server.url)) as memory:
        memory.remember("the kiln is hot")
        memory.flush()
        server.faults = [lambda handler: handler.answer({"embeddings": [[1.0, 2.0, 3.0]]})] * 3
        recall = memory.recall("kiln")
        assert found(recall) == ["the kiln is hot"]
        assert not recall.outcome.complete
        assert memory.verify()
