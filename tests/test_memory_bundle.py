"""Verification, and bundles: one store's operations, taken in and proved by another."""

import os
import sqlite3

import pytest

from chrysalis_memory import ChrysalisMemory, NotAllowed, NotFound, StoreError
from memory_cases import contents, found


@pytest.fixture
def pair(tmp_path):
    """Two stores of one space."""
    with (
        ChrysalisMemory(tmp_path / "one", agent_id="ada", embedder="none") as one,
        ChrysalisMemory(tmp_path / "two", agent_id="ben", embedder="none") as two,
    ):
        yield one, two


@pytest.fixture
def carry(tmp_path):
    """Carries everything from one store to another."""

    def carried(source, target):
        source.export(tmp_path / "carried")
        report = target.import_(tmp_path / "carried")
        assert report.failed == ()
        return report

    return carried


def plain(memories):
    return [(one.id, one.content, one.tags, one.metadata, one.fingerprint, one.signature) for one in memories]


def test_an_untouched_store_verifies_memory_by_memory_and_whole(memory):
    note = memory.remember("signed")
    memory.update(note.id, content="signed again")
    memory.remember("another")
    one, whole = memory.verify(note.id), memory.verify()
    assert (bool(one), one.operations, one.memories, one.problems) == (True, 2, 1, ())
    assert (bool(whole), whole.memories, whole.problems) == (True, 2, ())
    assert whole.operations >= 3
    with pytest.raises(NotFound):
        memory.verify("unknown")


def test_words_that_were_altered_on_disk_are_found_out(tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        note = memory.remember("the user owes 100")
        other = memory.remember("untouched")
    with sqlite3.connect(tmp_path / "chrysalis.db") as database:
        database.execute("UPDATE memory SET content = 'the user owes 999' WHERE id = ?", [note.id])
    database.close()
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        assert not memory.verify()
        assert not memory.verify(note.id)
        assert memory.verify(other.id)
        (problem, *_) = memory.verify(note.id).problems
        assert problem.code
        assert note.id in problem.where + problem.what
        recall = memory.recall("user owes", verified_only=True)
        assert (found(recall), recall.outcome.complete) == ([], False)
        assert memory.get_episodic_memories(verified_only=True) == [memory.get(other.id)]
        memory.rebuild()
        assert memory.get(note.id).content == "the user owes 100"
        assert memory.verify()


def test_a_bundle_brings_everything_to_another_store(pair, carry):
    one, two = pair
    kept = one.remember("kept", tags=["x"], metadata={"a": 1}, parents=["p"])
    one.update(kept.id, content="kept, later wording")
    gone = one.remember("gone xyzzy")
    one.forget(gone.id)
    report = carry(one, two)
    assert report.added > 0
    assert plain(two.list()) == plain(one.list())
    assert [one.fingerprint for one in two.history(kept.id)] == [one.fingerprint for one in one.history(kept.id)]
    assert two.get(kept.id).author == one.public_key != two.public_key
    assert found(two.recall("later wording")) == ["kept, later wording"]
    assert two.get(gone.id) is None
    assert two.verify()
    again = carry(one, two)
    assert (again.read, again.added, again.unchanged) == (report.read, 0, report.read)


def test_two_stores_that_exchange_bundles_agree_whatever_came_first(pair, carry):
    one, two = pair
    note = one.remember("start", id="note", tags=["x"])
    carry(one, two)
    one.update(note.id, content="from ada", add_tags=["a"], remove_tags=["x"], importance=0.9)
    two.update(note.id, content="from ben", add_tags=["b"], importance=0.7, metadata={"ben": 1})
    carry(one, two)
    carry(two, one)
    mine, theirs = one.get("note"), two.get("note")
    assert plain([mine]) == plain([theirs])
    assert mine.content in {"from ada", "from ben"}
    assert mine.tags == ("a", "b")
    assert (mine.importance, mine.metadata) == (0.9, {"ben": 1})
    assert mine.conflicts == theirs.conflicts == ("content",)
    (loser,) = one.conflicts("note")["content"]
    assert {loser.value, mine.content} == {"from ada", "from ben"}
    assert loser.author in {one.public_key, two.public_key}
    assert one.conflicts("note") == two.conflicts("note")
    assert one.stats().conflicts == 1
    assert one.verify()
    assert two.verify()


def test_an_edit_that_saw_both_values_settles_the_conflict(pair, carry):
    one, two = pair
    one.remember("start", id="note")
    carry(one, two)
    one.update("note", content="from ada")
    two.update("note", content="from ben")
    carry(two, one)
    one.update("note", content="agreed")
    carry(one, two)
    for memory in pair:
        assert memory.get("note").content == "agreed"
        assert memory.conflicts("note") == {}
        assert memory.stats().conflicts == 0


def test_forgetting_travels_and_wins_over_a_later_edit(pair, carry, tmp_path):
    one, two = pair
    one.remember("the code is xyzzy7734", id="note")
    carry(one, two)
    two.update("note", content="the code is plugh9981")
    one.forget("note")
    carry(two, one)
    carry(one, two)
    for memory in pair:
        assert memory.get("note") is None
        assert memory.verify()
        for path in memory.path.iterdir():
            assert b"xyzzy7734" not in path.read_bytes(), path
            assert b"plugh9981" not in path.read_bytes(), path
    one.export(tmp_path / "later")
    assert b"xyzzy7734" not in (tmp_path / "later").read_bytes()


def test_logical_time_tells_what_came_before_what_across_stores(pair, carry):
    one, two = pair
    one.remember("start", id="note")
    carry(one, two)
    earlier = two.get("note").logical_time
    one.update("note", content="from ada")
    two.update("note", content="from ben")
    carry(one, two)
    here = two.get("note").logical_time
    assert earlier.happens_before(here)
    assert not here.happens_before(earlier)
    assert len(two.update("note", content="both").logical_time.vector) == 2
    with pytest.raises(ValueError, match="one open store"):
        one.get("note").logical_time.happens_before(here)


def test_a_store_that_was_imported_into_goes_on_writing_its_own_log(pair, carry):
    one, two = pair
    one.remember("from one")
    two.remember("from two")
    carry(one, two)
    carry(two, one)
    for memory in pair:
        assert sorted(contents(memory.list())) == ["from one", "from two"]
        assert memory.stats().logs == 2
        memory.remember(f"later in {memory.path.name}")
    carry(one, two)
    carry(two, one)
    assert plain(sorted(one.list(), key=lambda note: note.id)) == plain(sorted(two.list(), key=lambda note: note.id))


def test_a_bundle_that_was_altered_brings_only_what_still_holds(pair, tmp_path):
    one, two = pair
    for number in range(20):
        one.remember(f"note number {number}")
    one.export(tmp_path / "bundle")
    whole = (tmp_path / "bundle").read_bytes()
    spot = whole.index(b"note number 7")
    (tmp_path / "altered").write_bytes(whole[:spot] + b"NOTE" + whole[spot + 4 :])
    report = two.import_(tmp_path / "altered")
    assert report.failed
    assert "NOTE number 7" not in contents(two.list())
    assert two.verify()
    two.import_(tmp_path / "bundle")
    assert len(two.list()) == 20
    assert two.verify()


def test_a_bundle_without_anything_in_it_is_refused(memory, tmp_path):
    (tmp_path / "empty").write_bytes(b"chrysalis-bundle")
    with pytest.raises(ValueError, match="no bundle"):
        memory.import_(tmp_path / "empty")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
def test_a_bundle_that_was_cut_short_harms_nothing(pair, tmp_path, share):
    one, two = pair
    one.remember_many({"content": f"note {number}"} for number in range(50))
    one.export(tmp_path / "bundle")
    whole = (tmp_path / "bundle").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
    report = two.import_(tmp_path / "cut")
    assert "cut short" in report.failed[-1].what
    assert set(contents(two.list())) <= set(contents(one.list()))
    assert two.verify()
    two.import_(tmp_path / "bundle")
    assert len(two.list()) == 50


def test_a_bundle_of_another_space_is_refused(tmp_path):
    with ChrysalisMemory(tmp_path / "one", space="studio") as one, ChrysalisMemory(tmp_path / "two") as two:
        one.remember("private to the studio")
        one.export(tmp_path / "bundle")
        with pytest.raises(NotAllowed, match='the space "studio", this store of "default"') as caught:
            two.import_(tmp_path / "bundle")
        assert caught.value.code == "wrong_space"
        assert two.list() == []
        assert two.verify()


def test_a_bundle_appears_whole_or_not_at_all(memory, tmp_path):
    memory.remember("kept")
    assert memory.export(tmp_path / "bundle") == memory.export(str(tmp_path / "again")) >= 1
    assert sorted(os.listdir(tmp_path)) == ["again", "bundle", "store"]
    with pytest.raises(StoreError):
        memory.export(tmp_path / "no" / "such" / "folder")
    with pytest.raises(StoreError):
        memory.export(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["again", "bundle", "store"]


def test_a_bundle_written_over_an_old_one_replaces_it(pair, tmp_path):
    one, two = pair
    one.remember("first")
    one.export(tmp_path / "bundle")
    one.remember("second")
    one.export(tmp_path / "bundle")
    two.import_(tmp_path / "bundle")
    assert sorted(contents(two.list())) == ["first", "second"]


def test_a_file_that_is_not_there_is_named(memory, tmp_path):
    report = memory.import_(tmp_path / "missing.jsonl")
    ((problem),) = report.failed
    assert problem.file.endswith("missing.jsonl")
    assert "No such file" in problem.what
    assert memory.list() == []


def test_records_of_another_program_are_taken_in_once(memory, tmp_path):
    (tmp_path / "notes.jsonl").write_text('{"content": "one"}\nnot json\n{"content": "two", "tags": ["x"]}\n')
    report = memory.import_(tmp_path / "notes.jsonl")
    assert (report.read, report.added, report.unchanged) == (3, 2, 0)
    ((problem),) = report.failed
    assert (problem.line, problem.file.endswith("notes.jsonl")) == (2, True)
    again = memory.import_(tmp_path / "notes.jsonl")
    assert (again.added, again.unchanged, len(again.failed)) == (0, 2, 1)
    assert memory.stats().memories == 2
