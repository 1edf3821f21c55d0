"""Vectors of an embedder: found by meaning, fused with words, and no harm done by an embedder that fails."""

import threading

import pytest

from chrysalis_memory import ChrysalisMemory, Config, Embedder
from chrysalis_memory.embedding import CallableEmbedder
from memory_cases import WITHIN_S, bag_of_words, contents, eventually, found


@pytest.fixture
def opened(tmp_path):
    """Opens stores on one folder and closes them after the test."""
    memories = []

    def open_with(embedder, **settings):
        settings = {"access_flush_s": 0.05, **settings}
        memories.append(ChrysalisMemory(tmp_path / "store", embedder=embedder, config=Config(**settings)))
        return memories[-1]

    yield open_with
    for memory in memories:
        memory.close()


def synonyms(text):
    """An embedder that knows that an oven is a kiln."""
    return bag_of_words(text.replace("oven", "kiln"))


class Switch:
    """An embedder that answers with what it is set to; an exception is raised."""

    def __init__(self, answer):
        self.answer = answer
        self.calls = 0

    def __call__(self, text):
        self.calls += 1
        answer = self.answer(text) if callable(self.answer) else self.answer
        if isinstance(answer, BaseException):
            raise answer
        return answer


def test_meaning_is_found_where_no_word_is_shared(opened):
    memory = opened(synonyms)
    memory.remember("the oven is hot")
    memory.remember("rain is coming tomorrow")
    recall = memory.recall("kiln")
    assert found(recall)[0] == "the oven is hot"
    assert recall.outcome.complete
    assert "meaning" in recall[0].why
    assert found(memory.recall("kiln", mode="vector"))[0] == "the oven is hot"
    assert found(memory.recall("kiln", mode="text")) == []


def test_words_and_meaning_are_fused(opened):
    memory = opened(synonyms)
    memory.remember("a kiln")
    memory.remember("an oven")
    recall = memory.recall("kiln")
    assert found(recall) == ["a kiln", "an oven"]
    assert recall[0].score > recall[1].score
    assert (recall[0].why.startswith("words: kiln; meaning"), recall[1].why.startswith("meaning")) == (True, True)


def test_text_mode_does_not_ask_the_embedder(opened):
    embedder = Switch(bag_of_words)
    memory = opened(embedder)
    memory.remember("kiln")
    memory.flush()
    before = embedder.calls
    assert found(memory.recall("kiln", mode="text")) == ["kiln"]
    assert embedder.calls == before


def test_filters_hold_for_vectors_too(opened):
    memory = opened(synonyms)
    memory.remember("the oven is hot", scope="a", tags=["x"])
    memory.remember("the oven is cold", scope="b", tags=["y"])
    assert found(memory.recall("kiln", scope="a", mode="vector")) == ["the oven is hot"]
    assert found(memory.recall("kiln", tags=["y"])) == ["the oven is cold"]
    assert found(memory.recall("kiln", min_importance=0.9)) == []


def test_what_is_updated_or_forgotten_is_not_found_by_its_old_vector(opened):
    memory = opened(synonyms)
    changed, gone = memory.remember("the oven is hot"), memory.remember("an old oven")
    memory.flush()
    memory.update(changed.id, content="rain tomorrow")
    memory.forget(gone.id)
    hits = {hit.memory.content: hit.score for hit in memory.recall("kiln", mode="vector")}
    assert "an old oven" not in hits
    assert "the oven is hot" not in hits
    assert memory.stats().vectors_pending == 0


def test_vectors_are_made_in_the_background_and_kept(opened):
    embedder = Switch(bag_of_words)
    memory = opened(embedder)
    memory.remember_many({"content": f"note {number}"} for number in range(100))
    assert eventually(lambda: memory.stats().vectors_pending == 0)
    assert memory.stats().vectors == 100
    memory.close()
    before = embedder.calls
    again = opened(embedder)
    assert again.stats().vectors == 100
    assert found(again.recall("note 42", mode="vector", k=1)) == ["note 42"]
    assert embedder.calls == before + 1


def test_the_end_of_a_long_memory_is_found_by_meaning(opened):
    texts = []

    def embed(text):
        texts.append(text)
        return synonyms(text)

    memory = opened(embed)
    memory.remember("weather and wind all day. " * 60 + "The oven is hot. " * 20)
    memory.remember("a letter about the weather and the rain")
    memory.flush()
    assert max(map(len, texts)) <= 800
    assert found(memory.recall("kiln", mode="vector"))[0].startswith("weather and wind")
    assert memory.stats().vectors == 2


def test_vectors_are_made_again_after_a_rebuild(opened):
    memory = opened(bag_of_words)
    memory.remember("the kiln")
    memory.flush()
    memory.rebuild()
    assert eventually(lambda: memory.stats().vectors_pending == 0)
    assert found(memory.recall("kiln", mode="vector")) == ["the kiln"]


def test_an_embedder_with_a_name_embeds_many_at_once(opened):
    class Batches:
        name = "batches/1"

        def __init__(self):
            self.sizes = []

        def embed(self, texts):
            self.sizes.append(len(texts))
            return [bag_of_words(text) for text in texts]

    embedder = Batches()
    assert isinstance(embedder, Embedder)
    memory = opened(embedder, embed_batch=10)
    with memory.batch():
        for number in range(25):
            memory.remember(f"note {number}")
    memory.flush()
    assert memory.stats().embedder == "batches/1"
    assert memory.stats().vectors == 25
    assert max(embedder.sizes) <= 10
    assert sum(embedder.sizes) == 25


def test_without_an_embedder_recall_says_so_only_when_one_was_wished_for(tmp_path):
    with ChrysalisMemory(tmp_path / "none", embedder="none") as memory:
        memory.remember("kiln")
        assert memory.recall("kiln").outcome.complete
        assert memory.stats().embedder is None
    with ChrysalisMemory(tmp_path / "nothing", embedder=None) as memory:
        memory.remember("kiln")
        assert memory.recall("kiln").outcome.complete


WRONG_ANSWERS = [
    RuntimeError("no model"),
    KeyError("token"),
    None,
    "vector",
    5,
    [],
    [[1.0, 2.0]],
    ["a", "b"],
    [float("nan"), 1.0],
    [float("inf"), 1.0],
    [10**400],
    [None],
]


@pytest.mark.parametrize("answer", WRONG_ANSWERS, ids=lambda value: ascii(value)[:20])
def test_whatever_an_embedder_does_memories_are_stored_and_found_by_words(opened, answer):
    embedder = Switch(answer)
    memory = opened(embedder)
    note = memory.remember("the kiln is hot")
    assert memory.get(note.id) == note
    for mode in ("hybrid", "text"):
        recall = memory.recall("kiln", mode=mode)
        assert found(recall) == ["the kiln is hot"]
    recall = memory.recall("kiln")
    assert recall.outcome.complete is False
    assert "words alone" in recall.outcome.reasons[0]
    assert memory.recall("kiln", mode="vector").outcome.complete is False
    with pytest.raises((RuntimeError, KeyError, ValueError, OverflowError)):
        memory.flush()
    assert (memory.stats().vectors, memory.stats().vectors_pending) == (0, 1)


def test_an_embedder_that_recovers_is_asked_again_without_being_told(opened):
    embedder = Switch(RuntimeError("no model yet"))
    memory = opened(embedder)
    memory.remember("the oven is hot")
    assert eventually(lambda: embedder.calls > 0)
    embedder.answer = synonyms
    assert eventually(lambda: memory.stats().vectors == 1)
    recall = memory.recall("kiln")
    assert (found(recall), recall.outcome.complete) == (["the oven is hot"], True)


def test_the_wrong_number_of_vectors_is_refused(opened):
    class Short:
        name = "short"

        def embed(self, texts):
            return [[1.0, 2.0]] * (len(texts) - 1)

    memory = opened(Short())
    memory.remember("kiln")
    assert not memory.recall("kiln").outcome.complete
    with pytest.raises(ValueError, match="0 vectors for 1 texts"):
        memory.flush()


def test_an_embedder_that_changes_its_dimension_harms_nothing(opened):
    embedder = Switch(lambda text: [1.0, float(len(text))])
    memory = opened(embedder)
    memory.remember("first kiln")
    memory.flush()
    embedder.answer = [1.0, 2.0, 3.0]
    memory.remember("second kiln")
    recall = memory.recall("kiln")
    assert sorted(found(recall)) == ["first kiln", "second kiln"]
    assert recall.outcome.complete is False
    assert contents(memory.list(descending=False)) == ["first kiln", "second kiln"]


@pytest.mark.parametrize(("count", "left"), [(8, 0), (9, 9)])
def test_recall_embeds_the_few_that_wait_and_leaves_many_to_the_background(tmp_path, count, left):
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        memory.remember_many({"content": f"note {number}"} for number in range(count))
    gate = threading.Event()
    calls = []

    def embed(text):
        if threading.current_thread().name == "chrysalis-background":
            gate.wait(30)
        calls.append(text)
        return bag_of_words(text)

    embedder = CallableEmbedder(embed, name="gated")
    embedder.thread_safe = True
    with ChrysalisMemory(tmp_path, embedder=embedder, config=Config(recall_embed_max=8, access_flush_s=60)) as memory:
        recall = memory.recall("note 3")
        assert len(calls) == count - left + 1
        reasons = (f"{left} memories have no vector yet: found by words alone",) if left else ()
        assert recall.outcome.reasons == reasons
        gate.set()
        assert eventually(lambda: memory.stats().vectors == count)


def test_closing_does_not_wait_for_all_that_is_still_to_be_embedded(tmp_path):
    calls, second_batch, goes_on = [], threading.Event(), threading.Event()

    def embed(text):
        calls.append(text)
        if len(calls) > 4:
            second_batch.set()
            goes_on.wait(WITHIN_S)
        return bag_of_words(text)

    memory = ChrysalisMemory(tmp_path, embedder=embed, config=Config(embed_batch=4))
    memory.remember_many({"content": f"note {number}"} for number in range(1_000))
    assert second_batch.wait(WITHIN_S)
    closing = threading.Thread(target=memory.close)
    closing.start()
    assert eventually(lambda: memory._vectors._stopping)
    goes_on.set()
    closing.join(WITHIN_S)
    assert not closing.is_alive()
    assert len(calls) == 8
    with ChrysalisMemory(tmp_path) as again:
        assert (again.stats().memories, again.stats().vectors) == (1_000, 8)


def test_the_embedder_is_never_called_by_two_threads_at_once(opened):
    inside = threading.Lock()

    def alone(text):
        assert inside.acquire(blocking=False)
        try:
            return bag_of_words(text)
        finally:
            inside.release()

    memory = opened(alone)

    def work(worker):
        for number in range(10):
            memory.remember(f"worker {worker} note {number}")
            memory.recall(f"worker {worker}")

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    memory.flush()
    assert memory.stats().vectors == 40
