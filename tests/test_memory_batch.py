"""Transactions: a batch and `remember_many` are whole or not at all, and threads share one store."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chrysalis_memory import ChrysalisMemory, Config, NotAllowed, StoreError, TooLarge
from memory_cases import contents, eventually, found


class Oops(Exception):
    pass


def in_another_thread(call):
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(call).result(timeout=30)


def test_a_batch_is_there_whole_when_it_ends(memory):
    kept = memory.remember("before", tags=["x"])
    gone = memory.remember("gone")
    with memory.batch() as same:
        assert same is memory
        one = memory.remember("inside")
        memory.update(kept.id, add_tags=["y"])
        memory.forget(gone.id)
    assert contents(memory.list(order="created", descending=False)) == ["before", "inside"]
    assert memory.get(kept.id).tags == ("x", "y")
    assert found(memory.recall("inside")) == ["inside"]
    assert memory.get(one.id) == one
    assert memory.verify()


@pytest.mark.parametrize("error", [Oops, KeyboardInterrupt, GeneratorExit])
def test_an_exception_takes_everything_in_the_batch_back(memory, error):
    kept = memory.remember("before", tags=["x"])
    before = memory.stats()

    def interrupted():
        with memory.batch():
            memory.remember("inside", id="inside")
            memory.update(kept.id, content="changed")
            memory.forget(kept.id)
            raise error

    with pytest.raises(error):
        interrupted()
    assert memory.list() == [kept]
    assert memory.get("inside") is None
    assert found(memory.recall("inside changed before")) == ["before"]
    assert (memory.stats().operations, memory.stats().lamport) == (before.operations, before.lamport)
    assert memory.remember("after", id="inside").content == "after"
    assert memory.verify()


def test_a_batch_that_was_taken_back_did_not_forget(memory):
    kept = memory.remember("before")

    def interrupted():
        with memory.batch():
            memory.forget(kept.id, withdraw=True)
            raise Oops

    with pytest.raises(Oops):
        interrupted()
    assert memory.get(kept.id) == kept
    assert memory.remember("before").content == "before"


def test_a_refusal_inside_a_batch_undoes_only_itself(memory):
    with memory.batch():
        memory.remember("one")
        with pytest.raises(TooLarge):
            memory.remember("x" * 100_000)
        memory.remember("two")
    assert contents(memory.list(descending=False)) == ["one", "two"]
    assert memory.verify()


def test_a_batch_is_seen_by_its_own_thread_alone_until_it_ends(memory):
    kept = memory.remember("before")
    with memory.batch():
        note = memory.remember("inside", parents=[kept])
        memory.update(kept.id, content="changed")
        assert memory.get(note.id) == note
        assert contents(memory.list(descending=False)) == ["changed", "inside"]
        assert contents(memory.descendants(kept.id)) == ["inside"]
        assert len(memory.history(kept.id)) == 2
        assert in_another_thread(lambda: memory.get(note.id)) is None
        assert in_another_thread(memory.list) == [kept]
        assert in_another_thread(lambda: found(memory.recall("inside before"))) == ["before"]
    assert in_another_thread(lambda: memory.get(note.id)) == note


def test_recall_inside_a_batch_says_that_it_does_not_see_the_batch(memory):
    memory.remember("before the batch")
    with memory.batch():
        memory.remember("inside the batch")
        recall = memory.recall("batch")
        assert found(recall) == ["before the batch"]
        assert recall.outcome.complete is False
        assert "batch" in recall.outcome.reasons[0]
    assert memory.recall("batch").outcome.complete is True


def test_batches_do_not_nest_and_the_outer_one_goes_on(memory):
    with memory.batch():
        memory.remember("one")
        with pytest.raises((ValueError, StoreError)), memory.batch():
            pass
        memory.remember("two")
    assert contents(memory.list(descending=False)) == ["one", "two"]


def test_other_threads_wait_for_the_batch_and_lose_nothing(memory):
    started = threading.Event()
    with ThreadPoolExecutor(4) as threads:
        with memory.batch():

            def write(number):
                started.set()
                return memory.remember(f"outside {number}")

            waiting = [threads.submit(write, number) for number in range(4)]
            assert started.wait(10)
            memory.remember("inside")
        assert sorted(one.result(timeout=30).content for one in waiting) == [f"outside {n}" for n in range(4)]
    assert memory.stats().memories == 5
    assert memory.verify()


def test_a_batch_of_many_is_one_transaction(memory):
    with memory.batch():
        for number in range(1000):
            memory.remember(f"memory number {number}")
    assert memory.stats().memories == 1000
    assert len(memory.recall("memory", k=1000)) == 1000


def test_many_remembered_at_once_come_back_in_their_order(memory):
    told = memory.remember_many({"content": str(number), "tags": [f"t{number}"]} for number in range(100))
    assert [(one.content, one.tags) for one in told] == [(str(number), (f"t{number}",)) for number in range(100)]
    assert memory.get_many([one.id for one in told]) == told
    assert memory.remember_many([]) == []


def test_many_are_remembered_all_or_none(memory):
    memory.forget(memory.remember("dead", id="dead").id)
    before = memory.stats().operations
    for bad, error in [
        ({"content": "x" * 100_000}, TooLarge),
        ({"content": "again", "id": "dead"}, NotAllowed),
        ({"content": ""}, ValueError),
    ]:
        with pytest.raises(error):
            memory.remember_many([{"content": "good", "id": "good"}, bad, {"content": "also good"}])
        assert memory.get("good") is None
    assert memory.stats().operations == before
    assert memory.verify()


def test_an_iterator_that_breaks_off_leaves_nothing(memory):
    def records():
        yield {"content": "good"}
        raise Oops

    with pytest.raises(Oops):
        memory.remember_many(records())
    assert memory.list() == []


def test_a_record_twice_in_one_call_is_one_memory(memory):
    one, two = memory.remember_many([{"content": "a", "id": "x"}, {"content": "b", "id": "x"}])
    assert (one.id, two.content) == ("x", "b")
    assert contents(memory.list()) == ["b"]


def test_threads_write_read_and_forget_at_once_without_loss(memory):
    def work(worker):
        for number in range(25):
            note = memory.remember(f"worker{worker} says {number}", tags=[f"w{worker}"])
            assert memory.get(note.id) == note
            memory.update(note.id, importance=0.9)
            memory.recall(f"worker{worker} {number}", k=3)
            if number % 5 == 4:
                memory.forget(note.id)

    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(work, worker) for worker in range(6)]:
            done.result(timeout=60)
    assert memory.stats().memories == 6 * 20
    assert {len(memory.list(tags=[f"w{worker}"])) for worker in range(6)} == {20}
    assert len(memory.recall("says", k=500)) == 120
    assert memory.verify()


def test_two_objects_of_one_process_share_one_store(tmp_path):
    with (
        ChrysalisMemory(tmp_path, agent_id="ada", embedder="none") as one,
        ChrysalisMemory(tmp_path, agent_id="ben", embedder="none") as other,
    ):
        note = one.remember("from ada")
        assert other.get(note.id) == note
        assert found(other.recall("ada")) == ["from ada"]
        changed = other.update(note.id, content="from ben")
        assert one.get(note.id) == changed
        assert (changed.agent_id, changed.author) == ("ben", one.public_key)
        with one.batch():
            one.remember("inside")
            assert contents(other.list()) == ["from ben"]
        assert eventually(lambda: len(other.list()) == 2)
        assert one.verify()


def test_a_store_opens_and_reads_while_another_holds_a_batch(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as one:
        one.remember("kept")
        with one.batch():
            one.remember("inside")
            with ChrysalisMemory(tmp_path, embedder="none", config=Config(busy_timeout_s=2)) as other:
                assert contents(other.list()) == ["kept"]
