"""`MemoryStorage`: documents in a store, merged by id."""

import copy
import itertools
import threading

import pytest

from chrysalis_memory import ChrysalisMemory, MemoryDocument, MemoryStorage, NotAllowed, StoreError, TooLarge


@pytest.fixture
def storage(tmp_path):
    with MemoryStorage(tmp_path / "store", "ada") as storage:
        yield storage


def document(content="words", *, by="ada", tags=(), id="m-1"):
    made = MemoryDocument(id, content, source_instance=by)
    for tag in tags:
        made.add_tag(tag)
    return made


def test_what_is_put_comes_back_whole(storage):
    made = MemoryDocument("m-1", "Glaze G7 needs 1180 degrees", "procedural", "bob")
    made.add_tag("glaze")
    made.set_importance(0.9)
    made.set_confidence(0.0)
    made.add_evidence("the firing of March")
    made.add_related("m-2")
    made.add_parent("m-0")
    made.set_metadata("cone", 6)
    made.record_access("bob", 3)
    assert storage.put(made) == made
    assert storage.get("m-1") == made
    assert storage.get("m-2") is None


def test_put_merges_in_whatever_order_and_however_often(tmp_path):
    first = document("first", tags=["a"])
    second = document("second", by="bob", tags=["b"])
    third = second.merge(first)
    third.remove_tag("a")
    joined = first.merge(second).merge(third)
    for number, order in enumerate(itertools.permutations([first, second, third])):
        with MemoryStorage(tmp_path / str(number), "ada") as storage:
            for one in (*order, order[0]):
                storage.put(one)
            assert storage.get("m-1") == joined
    assert joined.get_tags() == ["b"]


def test_a_stale_copy_does_not_bring_a_removed_tag_back(storage):
    stale = document(tags=["old"])
    storage.put(stale)
    current = storage.get("m-1")
    current.remove_tag("old")
    storage.put(current)
    storage.put(stale)
    assert storage.get("m-1").get_tags() == []


def test_only_a_difference_is_written(storage, tmp_path):
    made = document(tags=["a"])
    storage.put(made)
    storage.put(made)
    storage.put(storage.get("m-1"))
    made.add_tag("b")
    storage.put(made)
    storage.close()
    with ChrysalisMemory(tmp_path / "store", embedder="none") as memory:
        revisions = memory.history("m-1")
        assert memory.get("m-1").tags == ("a", "b")
        assert memory.verify()
    changes = [{name for name in revision.changes if name != "metadata"} for revision in revisions]
    assert changes == [{"content", "add_tags"}, {"add_tags"}]


def test_what_other_programs_change_in_the_store_is_merged_too(storage, tmp_path):
    storage.put(document("words", tags=["a", "b"]))
    with ChrysalisMemory(tmp_path / "store", agent_id="bob", embedder="none") as memory:
        memory.update("m-1", content="better words", add_tags=["c"], remove_tags=["a"], metadata={"cone": 6})
        plain = memory.remember("never a document", tags=["plain"], importance=0.8).id
    found = storage.get("m-1")
    assert (found.content, found.get_tags(), found.metadata) == ("better words", ["b", "c"], {"cone": 6})
    assert storage.get("m-1") == found
    found.remove_tag("c")
    assert storage.put(found).get_tags() == ["b"]
    adopted = storage.get(plain)
    assert (adopted.get_tags(), adopted.get_importance(), adopted.source_instance) == (["plain"], 0.8, "bob")
    adopted.remove_tag("plain")
    storage.put(adopted)
    with ChrysalisMemory(tmp_path / "store", embedder="none") as memory:
        assert memory.get(plain).tags == ()


@pytest.mark.parametrize("state", ["no base64!", "AAAA", 7, None, "another"])
def test_a_state_that_was_overwritten_is_made_again(storage, tmp_path, state):
    storage.put(document("words", tags=["a"]))
    if state == "another":
        storage.put(document("others", id="m-2"))
    with ChrysalisMemory(tmp_path / "store", agent_id="bob", embedder="none") as memory:
        if state == "another":
            state = memory.get("m-2").metadata["chrysalis_document"]
        memory.update("m-1", metadata={"chrysalis_document": state})
    found = storage.get("m-1")
    assert (found.content, found.get_tags(), found.metadata) == ("words", ["a"], {})
    found.add_tag("b")
    storage.put(found)
    assert storage.get("m-1") == found


def test_query_and_list_find_documents(storage):
    for number, tag in enumerate(["kiln", "yard", "kiln"]):
        made = document(f"note {number} about the {tag}", tags=[tag], id=f"m-{number}")
        made.set_importance(number / 2)
        storage.put(made)
    assert [one.id for one in storage.query(tags=["kiln"])] == ["m-2", "m-0"]
    assert storage.query("what about the yard?")[0].id == "m-1"
    assert [one.id for one in storage.query(min_importance=0.9)] == ["m-2"]
    assert [one.id for one in storage.list(limit=2)] == ["m-2", "m-1"]
    assert storage.query(memory_type="semantic") == []


def test_deleting_is_for_good(storage):
    kept = document()
    storage.put(kept)
    assert storage.delete("m-1")
    assert not storage.delete("m-1")
    assert storage.get("m-1") is None
    with pytest.raises(NotAllowed):
        storage.put(kept)


def test_documents_that_come_out_are_edited_in_the_storages_name(storage):
    storage.put(document(by="bob"))
    for found in (storage.get("m-1"), storage.put(document(by="eve")), *storage.list()):
        found.set_importance(0.7)
        found.set_importance(0.2, "ada")
        assert found.get_importance() == 0.2


def test_threads_and_storages_that_put_at_once_lose_nothing(tmp_path):
    def work(name):
        with MemoryStorage(tmp_path / "store", name) as storage:
            for number in range(5):
                storage.put(document("shared", by=name, tags=[f"{name}{number}"]))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ada", "bob", "eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    with MemoryStorage(tmp_path / "store", "reader") as storage:
        expected = sorted(f"{name}{number}" for name in ("ada", "bob", "eve") for number in range(5))
        assert storage.get("m-1").get_tags() == expected


def test_a_failed_put_leaves_what_was_there(storage):
    storage.put(document("small"))
    with pytest.raises(TooLarge):
        storage.put(document("x" * 900_000, by="bob"))
    assert storage.get("m-1").content == "small"
    assert storage.put(document("after", by="eve")).content == "after"


def test_misuse_and_a_closed_storage_have_errors_of_their_own(storage):
    with pytest.raises(TypeError):
        storage.put({"id": "m-1"})
    storage.close()
    storage.close()
    with pytest.raises(StoreError):
        storage.get("m-1")


def test_the_document_given_is_not_changed(storage):
    storage.put(document("theirs", by="bob", tags=["b"]))
    ours = document("ours", tags=["a"])
    before = copy.copy(ours)
    storage.put(ours)
    assert ours == before
