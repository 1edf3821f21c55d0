"""Lists and ranges: filters, order, pages; and consolidation, which works on them."""

from datetime import timedelta

import pytest

from chrysalis_memory import ChrysalisMemory, Tier
from chrysalis_memory.embedding import CallableEmbedder
from memory_cases import contents, eventually, found


@pytest.fixture
def shelf(memory):
    """Five memories that differ in every field that filters know."""
    for words, more in {
        "a": {"scope": "yard", "tags": ["x"], "importance": 0.1, "thread": "t1"},
        "b": {"scope": "yard/north", "tags": ["x", "y"], "importance": 0.5, "memory_type": "skill"},
        "c": {"scope": "yardstick", "tags": ["y"], "importance": 0.9, "tier": "working"},
        "d": {"scope": "", "tags": [], "importance": 0.7, "thread": "t2", "memory_type": "skill"},
        "e": {"scope": "yard/north/east", "tags": ["x"], "importance": 0.3, "thread": "t1"},
    }.items():
        memory.remember(words, id=words, **more)
    return memory


FILTERS = [
    ({}, "abcde"),
    ({"scope": "yard"}, "abe"),
    ({"scope": "yard/north"}, "be"),
    ({"scope": "yar"}, ""),
    ({"scope": "yard/"}, None),
    ({"scope": ""}, "abcde"),
    ({"scope": "yard_north"}, ""),
    ({"scope": "%"}, ""),
    ({"tier": "working"}, "c"),
    ({"tier": Tier.LONG_TERM}, "abde"),
    ({"memory_type": "skill"}, "bd"),
    ({"memory_type": "unheard of"}, ""),
    ({"tags": ["x"]}, "abe"),
    ({"tags": ["x", "y"]}, "b"),
    ({"tags": []}, "abcde"),
    ({"tags": ["X"]}, ""),
    ({"scope": "yard", "tags": ["x"], "memory_type": "skill", "tier": "long_term"}, "b"),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=repr)
def test_filters_one_by_one_and_together(shelf, filters, expected):
    if expected is not None:
        assert "".join(contents(shelf.list(**filters, descending=False))) == expected
        assert "".join(contents(shelf.range(None, None, **filters))) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"thread": "t1"}, "ae"),
        ({"thread": "t"}, ""),
        ({"min_importance": 0.5}, "bcd"),
        ({"min_importance": 0}, "abcde"),
        ({"min_importance": 1}, ""),
        ({"min_importance": 0.3, "thread": "t1", "scope": "yard"}, "e"),
    ],
    ids=repr,
)
def test_filters_of_list_alone(shelf, filters, expected):
    assert "".join(contents(shelf.list(**filters, descending=False))) == expected


def test_order_and_direction(shelf):
    shelf.update("b", content="b")
    shelf.update("a", thread="t9")
    assert "".join(contents(shelf.list())) == "edcba"
    assert "".join(contents(shelf.list(descending=False))) == "abcde"
    assert contents(shelf.list(order="updated"))[0] == "a"
    assert contents(shelf.list(order="updated", descending=False))[-1] == "a"
    assert "".join(contents(shelf.list(order="importance"))) == "cdbea"
    assert "".join(contents(shelf.list(order="importance", descending=False))) == "aebdc"


def test_pages_cover_everything_once(memory):
    memory.remember_many({"content": str(number), "importance": 0.5} for number in range(25))
    for order in ("created", "updated", "importance"):
        for descending in (True, False):
            whole = memory.list(order=order, descending=descending)
            pages = [
                memory.list(order=order, descending=descending, limit=4, offset=start) for start in range(0, 28, 4)
            ]
            assert [one for page in pages for one in page] == whole
    assert memory.list(limit=0) == []


def test_a_list_has_a_hundred_unless_asked_for_more(memory):
    memory.remember_many({"content": str(number)} for number in range(120))
    assert len(memory.list()) == 100
    assert len(memory.list(limit=1000)) == 120
    assert len(memory.range(None, None)) == 120
    assert contents(memory.range(None, None, limit=3)) == ["0", "1", "2"]


def test_a_range_holds_its_start_and_not_its_end(memory):
    notes = []
    while len(notes) < 3:
        note = memory.remember(str(len(notes)))
        if not notes or note.created_at > notes[-1].created_at:
            notes.append(note)
        else:
            memory.forget(note.id)
    first, second, third = notes
    assert memory.range(first.created_at, third.created_at) == [first, second]
    assert memory.range(second.created_at, None) == [second, third]
    assert memory.range(None, second.created_at) == [first]
    assert memory.range(second.created_at, second.created_at) == []
    assert memory.range(third.created_at, first.created_at) == []
    assert memory.range(first.created_at.isoformat(), third.created_at + timedelta(seconds=1)) == notes
    assert memory.range(first.created_at.timestamp() - 1, None) == notes


def test_get_many_keeps_order_and_repeats_and_marks_what_is_missing(shelf):
    found = shelf.get_many(["c", "nowhere", "a", "c"])
    assert [one and one.content for one in found] == ["c", None, "a", "c"]
    assert shelf.get_many([]) == []
    assert contents(shelf.get_many(str(letter) for letter in "ab")) == ["a", "b"]
    many = shelf.get_many([f"nowhere {number}" for number in range(5_000)] + ["e"])
    assert many[-1].content == "e"


def test_consolidating_twice_changes_nothing(memory):
    words = ["the kiln door sticks", "the kiln door sticks again", "The kiln door STICKS", "glaze seven is ready"]
    sources = [memory.remember(one, importance=0.2 * i, tags=[f"t{i}"]) for i, one in enumerate(words, 1)]
    (made,) = memory.consolidate(similarity=0.75)
    assert made.content == "the kiln door sticks again"
    assert made.memory_type == "semantic"
    assert made.evidence == tuple(sorted(one.id for one in sources[:3]))
    assert made.tags == ("t1", "t2", "t3")
    assert made.importance == 0.6
    before = memory.stats().operations
    assert memory.consolidate(similarity=0.75) == []
    assert memory.consolidate(similarity=0.75) == []
    assert memory.stats().operations == before
    assert [memory.get(one.id) for one in sources] == sources
    assert "the kiln door sticks again" in found(memory.recall("kiln door"))


def test_two_stores_that_consolidate_make_the_same_memory(memory, tmp_path):
    records = [{"id": f"n{n}", "content": words} for n, words in enumerate(["rain at noon", "rain at noon today"])]
    with ChrysalisMemory(tmp_path / "other", agent_id="ben") as other:
        other.remember_many(reversed(records))
        memory.remember_many(records)
        (one,), (two,) = memory.consolidate(similarity=0.5), other.consolidate(similarity=0.5)
    assert (one.id, one.content, one.evidence) == (two.id, two.content, two.evidence)


def test_only_memories_of_one_scope_and_type_are_joined(memory):
    for scope, kind in [("a", "episodic"), ("b", "episodic"), ("a", "skill")]:
        memory.remember("the very same words", scope=scope, memory_type=kind)
    assert memory.consolidate() == []
    memory.remember("the very same words", scope="a")
    memory.remember("the very same words", scope="b")
    assert [one.scope for one in memory.consolidate(scope="a")] == ["a"]
    assert [one.scope for one in memory.consolidate()] == ["b"]


def test_consolidating_nothing_makes_nothing(memory):
    assert memory.consolidate() == []
    memory.remember("alone")
    assert memory.consolidate() == []


def test_stats_count_what_is_there(shelf):
    shelf.forget("a")
    stats = shelf.stats()
    assert (stats.memories, stats.working, stats.long_term, stats.forgotten) == (4, 1, 3, 1)
    assert stats.memory_types == {"episodic": 2, "skill": 2}
    assert (stats.space, stats.replica, stats.logs) == ("default", shelf.public_key, 1)
    assert stats.path == str(shelf.path)
    assert set(stats.file_bytes) >= {"chrysalis.db", "key"}
    assert stats.operations >= 6
    assert stats.to_dict()["memories"] == 4


def test_stats_and_models_tell_how_vectors_are_searched(tmp_path):
    embedder = CallableEmbedder(lambda texts: [[float(digit) for digit in text] for text in texts], many=True, name="d")
    with ChrysalisMemory(tmp_path, embedder=embedder) as memory:
        memory.remember("12345678")
        memory.flush()
        few = memory.stats()
        assert (few.vectors, few.vectors_pending, few.vectors_indexed, few.vectors_indexing) == (1, 0, 0, None)
        memory.remember_many({"content": f"{10**7 + 997 * number}"} for number in range(20_500))
        memory.flush()
        assert eventually(lambda: memory.stats().vectors_indexed > 0)
        many = memory.stats()
        (model,) = memory.vector_models()
    assert many.to_dict()["vectors_indexed"] == many.vectors_indexed <= many.vectors == 20_501
    assert (model.pending, model.indexed, model.vectors) == (0, many.vectors_indexed, 20_501)


def test_rebuilding_gives_equal_answers(shelf):
    shelf.update("a", content="a kiln", add_tags=["k"])
    shelf.relate("b", "a", kind="parents")
    shelf.forget("e")

    shelf.recall("kiln")
    shelf.flush()

    def answers():
        return shelf.list(), shelf.descendants("a"), shelf.history("a"), shelf.get("e"), shelf.stats().memories

    before = answers()
    shelf.rebuild()
    assert answers() == before
    assert found(shelf.recall("kiln")) == ["a kiln"]
    assert shelf.verify()
