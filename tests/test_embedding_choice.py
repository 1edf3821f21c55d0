"""Which embedder a store gets, and what happens when that changes."""

import threading

import pytest

from chrysalis_memory import ChrysalisMemory, Config, NotFound
from chrysalis_memory.embedding import CallableEmbedder, Chooser, LocalEmbedder, Servers
from embedding_server import running
from memory_cases import bag_of_words, found


def backwards(text):
    """The vectors of another model: of the same length, and nothing in common."""
    return bag_of_words(text)[::-1]


def filled(path, embedder, count=30):
    with ChrysalisMemory(path, embedder=embedder) as memory:
        memory.remember_many({"content": f"note {number}"} for number in range(count))
        memory.flush()


OLD = CallableEmbedder(bag_of_words, name="old")


@pytest.mark.parametrize("wrong", ["", "gpt", "ollama:", "ollama", "openai:", "local:other", "Local"])
def test_a_name_that_means_nothing_is_refused_before_a_store_is_made(tmp_path, wrong):
    with pytest.raises(ValueError, match="embedder"):
        ChrysalisMemory(tmp_path / "store", embedder=wrong)
    assert not (tmp_path / "store").exists()


def test_what_is_no_embedder_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match="embedder"):
        ChrysalisMemory(tmp_path / "store", embedder=5)


def test_vectors_of_two_models_are_never_compared(tmp_path):
    filled(tmp_path, OLD)
    gate = threading.Event()

    def slow(text):
        if threading.current_thread().name == "chrysalis-background":
            gate.wait(30)
        return backwards(text)

    settings = Config(recall_embed_max=0)
    with ChrysalisMemory(tmp_path, embedder=CallableEmbedder(slow, name="new"), config=settings) as memory:
        recall = memory.recall("note 3", mode="vector")
        assert found(recall) == []
        assert recall.outcome.reasons == ("30 memories have no vector yet: found by words alone",)
        gate.set()
        memory.flush()
        assert "note 3" in found(memory.recall("note 3", mode="vector", k=3))
        assert [(one.name, one.memories) for one in memory.vector_models()] == [("old", 30), ("new", 30)]


def test_embedding_anew_goes_on_where_it_was_stopped(tmp_path):
    filled(tmp_path, OLD)
    seen = []

    def embed(text):
        if len(seen) == 17:
            raise KeyboardInterrupt
        seen.append(text)
        return backwards(text)

    settings = Config(embed_batch=4, access_flush_s=60)
    memory = ChrysalisMemory(tmp_path, embedder=CallableEmbedder(embed, name="new"), config=settings)
    with pytest.raises(KeyboardInterrupt):
        memory.flush()
    memory.close()
    again = []
    new = CallableEmbedder(lambda text: again.append(text) or backwards(text), name="new")
    with ChrysalisMemory(tmp_path, embedder=new, config=settings) as memory:
        memory.flush()
        assert memory.stats().vectors_pending == 0
    assert len(again) == 30 - 16


def test_progress_is_told_batch_by_batch(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        memory.remember_many({"content": f"note {number}"} for number in range(10))
    told = []
    with ChrysalisMemory(tmp_path, embedder=OLD, config=Config(embed_batch=4, recall_embed_max=0)) as memory:
        memory.flush(progress=lambda done, total: told.append((done, total)))
        assert memory.stats().vectors == 10
    assert told[-1:] in ([(10, 10)], [])
    assert told == sorted(told)


def test_vectors_of_a_model_no_longer_used_can_be_dropped(tmp_path):
    filled(tmp_path, OLD)
    filled(tmp_path, CallableEmbedder(backwards, name="new"), count=0)
    with ChrysalisMemory(tmp_path, embedder=CallableEmbedder(backwards, name="new")) as memory:
        with pytest.raises(ValueError, match="would be made again"):
            memory.drop_vectors("new")
        with pytest.raises(NotFound):
            memory.drop_vectors("unknown")
        assert memory.drop_vectors("old") == 30
        assert [one.name for one in memory.vector_models()] == ["new"]
        assert "note 3" in found(memory.recall("note 3", mode="vector", k=3))


def test_auto_does_not_add_a_second_model_to_a_store(tmp_path):
    filled(tmp_path, OLD)
    with ChrysalisMemory(tmp_path) as memory:
        recall = memory.recall("note 3")
        assert memory.stats().embedder is None
        assert "vectors of old" in recall.outcome.reasons[0]
        memory.flush()
        assert [one.name for one in memory.vector_models()] == ["old"]


def test_auto_stays_with_a_server_on_this_machine(tmp_path):
    with running() as server:
        settings = Config(embedder_url=server.url)
        with ChrysalisMemory(tmp_path, embedder="ollama:nomic-embed-text", config=settings) as memory:
            memory.remember("the kiln is hot")
            memory.flush()
        with ChrysalisMemory(tmp_path, config=settings) as memory:
            assert memory.stats().embedder == "ollama:nomic-embed-text"
            assert found(memory.recall("kiln", mode="vector")) == ["the kiln is hot"]


def test_auto_calls_no_other_machine_unless_it_was_named():
    chooser = Chooser("auto")
    elsewhere = "openai:model@models.example:8080"
    assert chooser.choose([elsewhere]).embedder is None
    named = Chooser("auto", Servers(url="https://models.example:8080/v1", key="secret"))
    assert named.choose([elsewhere]).embedder.name == elsewhere
    assert Chooser("auto").choose(["openai:text-embedding-3-small"]).embedder is None
    assert Chooser("auto").choose(["openai:bge@127.0.0.1:8080"]).embedder.name == "openai:bge@127.0.0.1:8080"
    assert "secret" not in repr(Servers(key="secret"))


def test_auto_takes_the_newest_model_that_can_be_had():
    models = ["ollama:older", "ollama:newer", "somebody.function"]
    assert Chooser("auto").choose(models).embedder.name == "ollama:newer"


@pytest.mark.usefixtures("local_model")
def test_auto_takes_the_local_model_for_a_store_without_vectors(tmp_path):
    with ChrysalisMemory(tmp_path) as memory:
        memory.remember("the kiln is hot")
        memory.flush()
        assert [one.name for one in memory.vector_models()] == [LocalEmbedder().name]
    with ChrysalisMemory(tmp_path) as memory:
        assert memory.stats().embedder == LocalEmbedder().name
