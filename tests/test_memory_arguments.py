"""Misuse raises what Python raises, in words that name the argument, and changes nothing."""

import os
from datetime import datetime, timedelta

import pytest

from chrysalis_memory import ChrysalisError, ChrysalisMemory, NotFound, TooLarge

NAN = float("nan")

WRONG_REMEMBER = [
    ("content", None, TypeError),
    ("content", b"bytes", TypeError),
    ("content", 5, TypeError),
    ("content", "", ValueError),
    ("content", " \n\t", ValueError),
    ("id", 5, TypeError),
    ("id", b"id", TypeError),
    ("id", "", ValueError),
    ("id", "a\0b", ValueError),
    ("tier", "short", ValueError),
    ("tier", None, TypeError),
    ("tier", 1, TypeError),
    ("memory_type", "", ValueError),
    ("memory_type", 3, TypeError),
    ("scope", 3, TypeError),
    ("scope", None, TypeError),
    ("importance", NAN, ValueError),
    ("importance", -0.01, ValueError),
    ("importance", 1.01, ValueError),
    ("importance", float("inf"), ValueError),
    ("importance", 10**400, ValueError),
    ("importance", "0.5", TypeError),
    ("importance", True, TypeError),
    ("importance", None, TypeError),
    ("confidence", NAN, ValueError),
    ("confidence", [0.5], TypeError),
    ("tags", "kiln", TypeError),
    ("tags", b"kiln", TypeError),
    ("tags", 5, TypeError),
    ("tags", None, TypeError),
    ("tags", [None], TypeError),
    ("tags", ["kiln", 5], TypeError),
    ("tags", [""], ValueError),
    ("parents", "an-id", TypeError),
    ("parents", [5], TypeError),
    ("related", 5, TypeError),
    ("related", [b"id"], TypeError),
    ("evidence", "a quotation", TypeError),
    ("evidence", [""], ValueError),
    ("thread", 5, TypeError),
    ("speaker", b"Mara", TypeError),
    ("occurred_at", "yesterday", ValueError),
    ("occurred_at", "2026-13-01", ValueError),
    ("occurred_at", NAN, ValueError),
    ("occurred_at", 1772366400000, ValueError),
    ("occurred_at", True, TypeError),
    ("occurred_at", [2026], TypeError),
    ("metadata", [("a", 1)], TypeError),
    ("metadata", "a=1", TypeError),
    ("metadata", {1: "a"}, TypeError),
    ("metadata", {"": "a"}, TypeError),
    ("metadata", {"a": NAN}, ValueError),
    ("metadata", {"a": {1, 2}}, ValueError),
    ("metadata", {"a": datetime(2026, 3, 1)}, ValueError),
    ("ttl", 0, ValueError),
    ("ttl", -1, ValueError),
    ("ttl", timedelta(0), ValueError),
    ("ttl", NAN, ValueError),
    ("ttl", "1h", TypeError),
    ("valid_from", "soon", ValueError),
    ("valid_until", {}, TypeError),
]


@pytest.mark.parametrize(("argument", "value", "kind"), WRONG_REMEMBER, ids=lambda value: ascii(value)[:30])
def test_remember_names_the_argument_that_is_wrong(memory, argument, value, kind):
    said = {"content": "words"} | {argument: value}
    with pytest.raises(kind, match=argument):
        memory.remember(**said)
    with pytest.raises(kind, match=argument):
        memory.remember_many([{"content": "good"}, said])
    assert memory.stats().memories == 0


UPDATE_NAMES = {"tags": "add_tags"}
NOT_IN_UPDATE = {"id", "parents", "related", "evidence"}


@pytest.mark.parametrize(
    ("argument", "value", "kind"),
    [wrong for wrong in WRONG_REMEMBER if wrong[0] not in NOT_IN_UPDATE],
    ids=lambda value: ascii(value)[:30],
)
def test_update_names_the_argument_that_is_wrong(memory, argument, value, kind):
    told = memory.remember("words")
    name = UPDATE_NAMES.get(argument, argument)
    with pytest.raises(kind, match=name):
        memory.update(told.id, **{name: value})
    assert memory.get(told.id) == told


WRONG_RECALL = [
    ("query", None, TypeError),
    ("query", b"kiln", TypeError),
    ("query", 5, TypeError),
    ("k", 0, ValueError),
    ("k", -1, ValueError),
    ("k", 1.5, TypeError),
    ("k", "3", TypeError),
    ("k", None, TypeError),
    ("k", True, TypeError),
    ("scope", 5, TypeError),
    ("tier", b"working", TypeError),
    ("memory_type", 5, TypeError),
    ("tags", "kiln", TypeError),
    ("tags", [5], TypeError),
    ("since", "later", ValueError),
    ("until", [], TypeError),
    ("as_of", b"2026", TypeError),
    ("min_importance", NAN, ValueError),
    ("min_importance", 2, ValueError),
    ("min_importance", "0.5", TypeError),
    ("mode", "semantic", ValueError),
    ("mode", None, ValueError),
    ("ranking", "best", ValueError),
    ("ranking", 5, TypeError),
]


@pytest.mark.parametrize(("argument", "value", "kind"), WRONG_RECALL, ids=lambda value: ascii(value)[:30])
def test_recall_names_the_argument_that_is_wrong(memory, argument, value, kind):
    memory.remember("the kiln")
    with pytest.raises(kind, match=argument):
        memory.recall(**({"query": "kiln"} | {argument: value}))


def test_a_ranking_that_gives_no_number_is_an_error(memory):
    memory.remember("the kiln")
    with pytest.raises(ValueError, match="nan"):
        memory.recall("kiln", ranking=lambda _: NAN)
    with pytest.raises(TypeError):
        memory.recall("kiln", ranking=lambda _: None)


@pytest.mark.parametrize(
    ("argument", "value", "kind"),
    [
        ("order", "newest", ValueError),
        ("limit", -1, ValueError),
        ("limit", 1.5, TypeError),
        ("limit", None, TypeError),
        ("offset", -1, ValueError),
        ("offset", "0", TypeError),
        ("scope", 5, TypeError),
        ("tier", 5, TypeError),
        ("memory_type", b"skill", TypeError),
        ("tags", "kiln", TypeError),
        ("thread", 5, TypeError),
        ("min_importance", -1, ValueError),
    ],
)
def test_list_names_the_argument_that_is_wrong(memory, argument, value, kind):
    with pytest.raises(kind, match=argument):
        memory.list(**{argument: value})


@pytest.mark.parametrize("huge", [2**31, 2**63, 2**64, 2**200])
def test_a_number_that_is_more_than_there_can_be_means_all(memory, huge):
    told = memory.remember("the kiln")
    assert memory.list(limit=huge) == [told]
    assert memory.list(offset=huge) == []
    assert memory.range(None, None, limit=huge) == [told]
    assert [hit.memory for hit in memory.recall("kiln", k=huge)] == [told]


@pytest.mark.parametrize("method", ["get", "history", "conflicts", "ancestors", "descendants", "forget", "verify"])
@pytest.mark.parametrize("wrong", [5, b"id", ["id"], object()], ids=lambda value: type(value).__name__)
def test_an_id_is_text(memory, method, wrong):
    with pytest.raises(TypeError, match="id is text"):
        getattr(memory, method)(wrong)


@pytest.mark.parametrize("method", ["history", "conflicts", "ancestors", "descendants", "forget", "verify", "update"])
@pytest.mark.parametrize("unknown", ["unknown", "ключ", "01m7wda7k1gytzgbrpy572a52c", "' OR 1=1 --"])
def test_an_unknown_id_is_not_found(memory, method, unknown):
    memory.remember("something else")
    with pytest.raises(NotFound) as caught:
        getattr(memory, method)(unknown)
    assert caught.value.code == "not_found"
    assert caught.value.hint


@pytest.mark.parametrize("strange", ["", "a\0b", "x" * 257, "x" * 100_000])
def test_what_cannot_be_an_id_is_an_id_of_nothing(memory, strange):
    assert memory.get(strange) is None
    for call in [memory.history, memory.ancestors, memory.forget, memory.update, memory.verify]:
        with pytest.raises((ChrysalisError, ValueError)):
            call(strange)


def test_an_id_may_be_as_long_as_the_limit_and_no_longer(memory):
    longest = "é" * 128
    assert memory.remember("long id", id=longest).id == longest
    with pytest.raises(TooLarge, match="256"):
        memory.remember("longer id", id=longest + "x")


@pytest.mark.parametrize("wrong", [None, 5, [None], [5], ["text"], [["content", "x"]]], ids=repr)
def test_records_are_mappings(memory, wrong):
    with pytest.raises(TypeError):
        memory.remember_many(wrong)


def test_a_record_with_a_field_that_does_not_exist_is_refused_by_its_name(memory):
    with pytest.raises(TypeError, match="'colour'"):
        memory.remember_many([{"content": "x", "colour": "red"}])
    with pytest.raises(ValueError, match="content"):
        memory.remember_many([{"tags": ["x"]}])


def test_a_validity_that_ends_before_it_begins_is_refused(memory):
    with pytest.raises(ValueError, match="valid_from"):
        memory.remember("backwards", valid_from="2026-03-02", valid_until="2026-03-01")
    told = memory.remember("bounded", valid_until="2026-03-01")
    with pytest.raises(ValueError, match="valid_from"):
        memory.update(told.id, valid_from="2026-03-02")


@pytest.mark.parametrize("wrong", ["causes", "", None, 5])
def test_a_link_is_of_one_of_three_kinds(memory, wrong):
    told = memory.remember("a")
    with pytest.raises(ValueError, match="related, parents or evidence"):
        memory.relate(told.id, "b", kind=wrong)


@pytest.mark.parametrize("wrong", [None, 5, b"id", ["id"]], ids=repr)
def test_a_link_leads_to_an_id_or_a_memory(memory, wrong):
    told = memory.remember("a")
    with pytest.raises(TypeError, match="other"):
        memory.relate(told.id, wrong)
    with pytest.raises(TypeError, match="evidence"):
        memory.add_evidence(told.id, wrong)


@pytest.mark.parametrize("wrong", [0, -0.5, 1.5, NAN])
def test_similarity_lies_above_zero_and_at_most_at_one(memory, wrong):
    with pytest.raises(ValueError, match="similarity"):
        memory.consolidate(similarity=wrong)


def test_other_arguments_are_checked_too(memory):
    told = memory.remember("a")
    with pytest.raises(TypeError, match="reason"):
        memory.forget(told.id, reason=5)
    with pytest.raises(ValueError, match="threshold"):
        memory.promote(threshold=5)
    with pytest.raises(TypeError, match="ids"):
        memory.promote(told.id)
    with pytest.raises(TypeError, match="ids"):
        memory.get_many(told.id)
    with pytest.raises((TypeError, ValueError)):
        memory.watch(timeout="soon")
    assert memory.get(told.id) == told


@pytest.mark.parametrize("wrong", [5, b"store", None])
def test_a_path_is_text_or_a_path(memory, wrong):
    for call in [memory.import_, memory.export]:
        with pytest.raises(TypeError, match="path"):
            call(wrong)
    with pytest.raises(ValueError, match="path is empty"):
        memory.import_("")


def test_a_number_given_for_a_file_does_not_close_the_descriptor_of_that_number(memory, tmp_path):
    with open(tmp_path / "mine", "w+") as mine:
        with pytest.raises(TypeError):
            memory.import_(mine.fileno())
        assert os.fstat(mine.fileno())


WRONG_STORES = [
    ((5,), {}, TypeError, "path"),
    ((b"store",), {}, TypeError, "path"),
    (("",), {}, ValueError, "path is empty"),
    (("store",), {"agent_id": ""}, ValueError, "agent_id"),
    (("store",), {"agent_id": 5}, TypeError, "agent_id"),
    (("store",), {"space": 3}, TypeError, "space"),
    (("store",), {"embedder": "gpt"}, ValueError, "embedder"),
    (("store",), {"embedder": 5}, TypeError, "embedder"),
]


@pytest.mark.parametrize(("path", "more", "kind", "name"), WRONG_STORES, ids=repr)
def test_a_store_that_is_asked_for_wrongly_is_not_made(tmp_path, monkeypatch, path, more, kind, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=name):
        ChrysalisMemory(*path, **more)
    assert os.listdir(tmp_path) == []


def test_text_that_is_no_unicode_is_refused(memory):
    told = memory.remember("whole")
    for call in [
        lambda: memory.remember("half a pair \ud800"),
        lambda: memory.remember("x", tags=["\udfff"]),
        lambda: memory.recall("\ud800"),
        lambda: memory.get("\ud800"),
        lambda: memory.update(told.id, content="\ud800"),
        lambda: memory.remember("x", metadata={"a": "\ud800"}),
    ]:
        with pytest.raises(ValueError, match="surrogates"):
            call()
    assert memory.stats().memories == 1
