"""Crystals that liars wrote: each gives a clear error, and no list, tree or reaper stumbles over it."""

import asyncio
import hashlib
import json
from dataclasses import replace

import pytest

from chrysalis_memory import Malformed, NotFound
from chrysalis_memory._metadata import DEPTH_MAX
from chrysalis_memory.config import Config
from chrysalis_memory.context import CrystalReaper, Crystals
from crystal_cases import crystal, large_window, now, parts_of, store, two_stores

DEEP = json.loads("[" * DEPTH_MAX + "]" * DEPTH_MAX)


def header(memory, id="c1"):
    return dict(memory.get(id).metadata["crystal"])


def spoiled(memory, id="c1", **changes):
    """Writes over the header, as any member of the space may."""
    memory.update(id, metadata={"crystal": header(memory, id) | changes})


def assert_nothing_stumbles(memory, id="c1", others=("good",)):
    crystals = Crystals(memory)
    listed = {one.crystal_id: one for one in crystals.list()}
    assert set(listed) == {id, *others}
    assert listed[id].problem
    assert listed["good"].problem is None
    assert {row.entry.crystal_id for row in crystals.tree()} == set(listed)
    assert crystals.lineage(id)[0].crystal_id == id
    assert asyncio.run(CrystalReaper(memory).reap()) == []
    for call in [crystals.cherish, crystals.uncherish, lambda name: crystals.branch(name, "why")]:
        with pytest.raises((Malformed, NotFound)):
            call(id)
    assert crystals.compost(id).forgotten
    assert {one.crystal_id for one in crystals.list()} == set(others)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"format": None},
        {"parts": 0},
        {"parts": 10**12},
        {"parts": True},
        {"parts": "1"},
        {"size": -1},
        {"at": "yesterday"},
        {"at": None},
        {"agent": ""},
        {"agent": "a" * 2_000},
        {"task": ["t"]},
        {"depth": 10**9},
        {"parent": 7},
        {"parent": "p" * 2_000},
        {"reason": ""},
        {"summary_tokens": 1e300},
        {"summary_tokens": -5},
        {"digest": None},
    ],
    ids=str,
)
def test_a_header_that_lies_is_named_and_nothing_stumbles(tmp_path, changes):
    with store(tmp_path) as memory:
        Crystals(memory).save(crystal("good"))
        Crystals(memory).save(crystal())
        spoiled(memory, **changes)
        with pytest.raises(Malformed) as caught:
            Crystals(memory).get("c1")
        assert (caught.value.code, caught.value.id) == ("crystal_malformed", "c1")
        assert caught.value.hint
        assert_nothing_stumbles(memory)


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, DEEP], ids=lambda value: str(value)[:10])
def test_what_only_calls_itself_a_crystal_is_none(tmp_path, value):
    with store(tmp_path) as memory:
        Crystals(memory).save(crystal("good"))
        memory.remember("words", id="c1", memory_type="crystal", metadata={"crystal": value})
        with pytest.raises(Malformed):
            Crystals(memory).get("c1")
        assert_nothing_stumbles(memory)


def test_parts_that_are_not_those_of_the_header_are_refused(tmp_path):
    with store(tmp_path) as memory:
        Crystals(memory).save(crystal("good"))
        Crystals(memory).save(crystal())
        part = memory.get("c1").metadata["crystal.0000"]
        memory.update("c1", metadata={"crystal.0000": part.replace("zyzzyva", "xxxxxxx")})
        with pytest.raises(Malformed, match="not those that its header names"):
            Crystals(memory).get("c1")
        with pytest.raises(Malformed):
            Crystals(memory).cherish("c1")


@pytest.mark.parametrize(
    "data",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"window": 5, "focus_fragments": []}',
        '{"window": {"turns": [5]}, "focus_fragments": [5]}',
        '{"window": {"turns": []}, "focus_fragments": [{"hint": "h", "position": 3}]}',
        '{"window": {"turns": [], "place": 1e9}, "focus_fragments": [], "agent": "a", "timestamp": 0}',
        '{"window": {"turns": []}, "focus_fragments": [], "agent": "a", "timestamp": NaN}',
        "[" * 200_000 + "]" * 200_000,
        '{"a": ' + "9" * 100_000 + "}",
    ],
    ids=lambda data: data[:30],
)
def test_data_that_are_no_crystal_are_refused_whatever_the_digest_says(tmp_path, data):
    with store(tmp_path, Config(payload_bytes_max=900_000, promotion_interval_s=0)) as memory:
        Crystals(memory).save(crystal("good"))
        Crystals(memory).save(crystal())
        digest = hashlib.sha384(data.encode()).hexdigest()
        memory.update("c1", metadata={"crystal": header(memory) | {"digest": digest}, "crystal.0000": data})
        with pytest.raises(Malformed):
            Crystals(memory).get("c1")
        assert Crystals(memory).get("good").crystal_id == "good"
        assert Crystals(memory).compost("c1").forgotten


def test_one_of_which_parts_are_still_on_their_way_is_never_half_resumed(tmp_path):
    with two_stores(tmp_path) as (one, other):
        made = crystal(window=large_window(150_000))
        Crystals(other).save(crystal("good"))
        Crystals(one).save(made)
        last = parts_of(one, "c1")[-1]
        one.update("c1", metadata={last: None})
        other.merge(one)
        with pytest.raises(NotFound) as caught:
            Crystals(other).get("c1")
        assert caught.value.code == "crystal_incomplete"
        (entry,) = [entry for entry in Crystals(other).list() if entry.crystal_id == "c1"]
        assert entry.problem == f"1 of its {len(parts_of(one, 'c1')) + 1} parts have not come yet"
        with pytest.raises(NotFound):
            Crystals(other).cherish("c1")
        # Saving it once more brings what is missing, and the rest as it was.
        Crystals(one).save(made)
        other.merge(one)
        assert Crystals(other).get("c1") == made


def test_circles_and_endless_chains_of_parents_end(tmp_path):
    with store(tmp_path, Config(durability="off", promotion_interval_s=0)) as memory:
        crystals = Crystals(memory)
        for name, parent in [("good", None), ("itself", "itself"), ("x", "z"), ("y", "x"), ("z", "y"), ("tail", "x")]:
            crystals.save(replace(crystal(name, timestamp=now()), parent_crystal=parent))
        assert sorted(row.entry.crystal_id for row in crystals.tree()) == ["good", "itself", "tail", "x", "y", "z"]
        assert [one.crystal_id for one in crystals.lineage("tail")] == ["tail", "x", "z", "y", "x"]
        assert crystals.lineage("tail")[-1].problem == "the chain of parents is a circle"
        assert crystals.lineage("itself")[-1].problem == "the chain of parents is a circle"
        # The links of memories may say something else again, and do no harm either.
        memory.relate("good", "good", kind="parents")
        assert len(crystals.lineage("good")) == 1


def test_a_memory_may_name_a_thousand_parents_and_the_crystal_has_one(tmp_path):
    with store(tmp_path) as memory:
        Crystals(memory).save(crystal())
        for number in range(1_000):
            if number % 250 == 0:
                memory.update("c1", metadata={f"own{number}": 1})
        memory.remember("more", id="elsewhere", parents=[f"p{number}" for number in range(900)])
        memory.relate("c1", "elsewhere", kind="parents")
        assert Crystals(memory).get("c1").parent_crystal is None
        assert len(Crystals(memory).lineage("c1")) == 1
