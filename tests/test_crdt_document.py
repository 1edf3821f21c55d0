"""`MemoryDocument` from Python: its laws, and each field's way of merging."""

import copy
import itertools
import json
import pickle
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory import Malformed, MemoryDocument, TooLarge

INSTANCES = ("ada", "bob", "eve")

words = st.sampled_from(["a", "b", "c"])
scores = st.sampled_from([0.0, 0.25, 0.5, 1.0])
edits = st.one_of(
    st.tuples(st.just("set_content"), words),
    st.tuples(st.sampled_from(["add_tag", "remove_tag", "add_evidence", "add_related", "add_parent"]), words),
    st.tuples(st.sampled_from(["set_importance", "set_confidence"]), scores),
    st.tuples(st.just("set_metadata"), words, st.none() | st.integers(0, 2)),
    st.tuples(st.just("record_access")),
    st.tuples(st.just("merge"), st.integers(0, 2)),
)
histories = st.lists(st.tuples(st.integers(0, 2), edits), max_size=20)


def played(history):
    """Three instances that edit one memory and now and then hear of each other."""
    documents = [MemoryDocument("m-1", f"words of {name}", source_instance=name) for name in INSTANCES]
    for which, (verb, *arguments) in history:
        if verb == "merge":
            documents[which] = documents[which].merge(documents[arguments[0]])
        else:
            getattr(documents[which], verb)(*arguments)
    return documents


@given(histories)
def test_merging_is_commutative_associative_and_idempotent(history):
    a, b, c = played(history)
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(a) == a
    assert a.merge(b).merge(b) == a.merge(b)
    assert a.merge(b).to_bytes() == b.merge(a).to_bytes()


@given(histories, st.lists(st.integers(0, 2), max_size=6))
def test_any_order_with_any_duplicates_gives_one_document(history, again):
    documents = played(history)
    joined = documents[0].merge(documents[1]).merge(documents[2])
    for order in itertools.permutations(range(3)):
        heard = documents[order[0]]
        for one in (*order, *again):
            heard = heard.merge(documents[one])
        assert heard.to_dict() == joined.to_dict()
        assert heard == joined


@given(histories)
def test_copies_pickles_and_bytes_give_the_document_back(history):
    document = played(history)[0]
    for made in (copy.copy(document), copy.deepcopy(document), pickle.loads(pickle.dumps(document))):
        assert made == document
        assert made.to_dict() == document.to_dict()
    assert MemoryDocument.from_bytes(document.to_bytes(), "ada") == document
    assert json.loads(json.dumps(document.to_dict())) == document.to_dict()


@given(histories)
def test_grow_only_fields_and_scores_are_what_a_plain_model_says(history):
    ada, bob, _ = played(history)
    merged = ada.merge(bob)
    for name in ("evidence", "related", "parents"):
        assert merged.to_dict()[name] == sorted({*getattr(ada, name), *getattr(bob, name)})
    assert set(merged.get_tags()) <= {*ada.get_tags(), *bob.get_tags()}


def test_two_documents_made_one_after_the_other_in_one_process_are_in_that_order():
    for number in range(50):
        first = MemoryDocument("m-1", "first", source_instance="ada")
        second = MemoryDocument("m-1", f"second {number}", source_instance="bob")
        assert first.merge(second).content == second.merge(first).content == f"second {number}"
        assert first.merge(second).source_instance == "ada"


def pair():
    ours = MemoryDocument("m-1", "The gate opens at 7", source_instance="ada")
    return ours, MemoryDocument.from_bytes(ours.to_bytes(), "bob")


def test_the_latest_content_wins_and_an_edit_that_saw_it_replaces_it():
    ours, theirs = pair()
    ours.content = "The gate opens at 8"
    theirs = theirs.merge(ours)
    theirs.set_content("The gate opens at 9")
    assert ours.merge(theirs).content == "The gate opens at 9"
    assert ours.content == "The gate opens at 8"


def test_a_removed_tag_does_not_come_back_and_a_concurrent_add_wins():
    ours, _ = pair()
    ours.add_tag("old")
    theirs = copy.copy(ours)
    assert ours.remove_tag("old")
    assert not ours.remove_tag("old")
    assert ours.merge(theirs).get_tags() == theirs.merge(ours).get_tags() == []
    theirs.add_tag("old")
    assert ours.merge(theirs).get_tags() == ["old"]


def test_a_copy_that_adds_the_same_tag_is_not_undone_by_the_originals_removal():
    ours, _ = pair()
    theirs = pickle.loads(pickle.dumps(ours))
    ours.add_tag("tag")
    theirs.add_tag("tag")
    ours.remove_tag("tag")
    assert ours.merge(theirs).get_tags() == ["tag"]


def test_scores_are_each_writers_own_and_the_greatest_is_read():
    ours, theirs = pair()
    assert (ours.get_importance(), ours.get_confidence()) == (0.5, 0.5)
    ours.set_importance(0.9, "ada")
    theirs.set_importance(0.4, "bob")
    merged = ours.merge(theirs)
    assert merged.get_importance() == 0.9
    merged.set_importance(0.1, "ada")
    assert merged.get_importance() == 0.4


def test_uses_add_up_over_instances():
    ours, theirs = pair()
    ours.record_access()
    ours.record_access("ada", 2)
    theirs.record_access()
    assert ours.merge(theirs).merge(theirs).access_count == 4


def test_a_document_says_who_made_it_and_when():
    before = datetime.now(timezone.utc)
    document = MemoryDocument("m-1", "words", "semantic", "ada")
    document.set_metadata("kiln", {"cone": 6})
    document.add_related("m-2")
    said = document.to_dict()
    assert (said["id"], said["memory_type"], said["source_instance"]) == ("m-1", "semantic", "ada")
    assert (said["metadata"], said["related"]) == ({"kiln": {"cone": 6}}, ["m-2"])
    assert abs((document.created_at - before).total_seconds()) < 60
    assert document.updated_at >= document.created_at
    document.set_metadata("kiln", None)
    assert document.metadata == {}
    assert repr(document) == "MemoryDocument(id='m-1', content='words')"


def test_documents_of_two_memories_do_not_merge():
    with pytest.raises(ValueError, match="two memories"):
        MemoryDocument("m-1", "words").merge(MemoryDocument("m-2", "words"))


@pytest.mark.parametrize("cut", [0, 1, 50, -1])
def test_bytes_that_are_no_document_are_refused(cut):
    data = MemoryDocument("m-1", "words").to_bytes()
    with pytest.raises(Malformed):
        MemoryDocument.from_bytes(data[:cut])


@pytest.mark.parametrize(
    ("misuse", "error"),
    [
        (lambda _: MemoryDocument("", "words"), ValueError),
        (lambda _: MemoryDocument("a\0b", "words"), ValueError),
        (lambda _: MemoryDocument("x" * 300, "words"), TooLarge),
        (lambda _: MemoryDocument("m-1", " "), ValueError),
        (lambda _: MemoryDocument("m-1", "x" * (1 << 20)), TooLarge),
        (lambda _: MemoryDocument("m-1", "words", source_instance="x" * 2_000), TooLarge),
        (lambda one: one.set_content(""), ValueError),
        (lambda one: setattr(one, "content", 3), TypeError),
        (lambda one: one.add_tag(""), ValueError),
        (lambda one: one.add_tag(7), TypeError),
        (lambda one: one.add_tag("x" * 2_000), TooLarge),
        (lambda one: one.set_importance(1.5), ValueError),
        (lambda one: one.set_importance(float("nan")), ValueError),
        (lambda one: one.set_confidence("high"), TypeError),
        (lambda one: one.set_metadata("key", {1}), TypeError),
        (lambda one: one.record_access("ada", -1), ValueError),
        (lambda one: one.record_access("ada", (1 << 63) - 2), TooLarge),
        (lambda one: one.merge("m-1"), TypeError),
    ],
)
def test_misuse_has_an_error_of_its_own_and_changes_nothing(misuse, error):
    document = MemoryDocument("m-1", "words")
    document.record_access("ada")
    before = copy.copy(document)
    with pytest.raises(error):
        misuse(document)
    assert document == before
