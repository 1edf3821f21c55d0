"""Merging two stores of one program: by an open store, a folder, or a bundle."""

import pytest

from chrysalis_memory import AgentMemory
from chrysalis_memory.errors import NotAllowed, NotFound
from memory_cases import WITHIN_S
from network_cases import knows, store


def test_both_come_to_hold_the_same_and_twice_is_once(tmp_path):
    with store(tmp_path / "a") as a, store(tmp_path / "b") as b:
        for number in range(500):
            a.remember(f"alpha{number}")
            b.remember(f"beta{number}")
        report = a.merge(b)
        assert (report.stored, report.given, report.refused) == (501, 501, ())
        assert a.stats().memories == b.stats().memories == 1_000
        assert (a.merge(b).stored, b.merge(a).stored) == (0, 0)
        assert a.verify()
        assert b.verify()


def test_a_store_that_was_made_of_the_other_s_bundle_agrees_at_once(tmp_path):
    with store(tmp_path / "a") as a, store(tmp_path / "b") as b:
        a.remember("in both")
        a.export(tmp_path / "a.bundle")
        b.import_(tmp_path / "a.bundle")
        assert a.merge(b, timeout=WITHIN_S).given == 0
        assert knows(b, "both")


def test_what_one_forgot_the_other_forgets(tmp_path):
    with store(tmp_path / "a") as a, store(tmp_path / "b") as b:
        a.remember("the alarm code is 7734", id="code")
        a.merge(b)
        assert knows(b, "alarm")
        a.forget("code")
        assert b.public_key in a.receipt("code").pending
        a.merge(b)
        assert b.get("code") is None
        assert set(a.receipt("code").acknowledged) == {a.public_key, b.public_key}


def test_merging_in_any_order_gives_the_same(tmp_path):
    names = "abcd"
    for number, order in enumerate([("ab", "bc", "cd", "da", "ab", "bc"), ("cd", "ab", "db", "ac", "cb", "ad")]):
        stores = {name: tmp_path / f"{number}{name}" for name in names}
        for name, path in stores.items():
            with store(path) as memory:
                memory.remember(f"by {name}", id="shared", tags=[name])
        for one, other in order:
            with store(stores[one]) as memory:
                memory.merge(stores[other])
        tags = []
        for path in stores.values():
            with store(path) as memory:
                tags.append(set(memory.get("shared").tags))
        assert tags == [set(names)] * 4


def test_a_folder_and_a_bundle_merge_as_well(tmp_path):
    with store(tmp_path / "b") as b:
        b.remember("in the folder")
        with store(tmp_path / "c") as c:
            c.remember("in the bundle")
            c.export(tmp_path / "c.bundle")
    with store(tmp_path / "a") as a:
        assert a.merge(tmp_path / "b").stored == 2
        report = a.merge(str(tmp_path / "c.bundle"))
        assert (report.stored, report.given) == (2, 0)
        assert knows(a, "folder", "bundle")


async def test_agents_merge_too(tmp_path):
    async with (
        AgentMemory("a", path=tmp_path / "a", embedder="none") as a,
        AgentMemory("b", path=tmp_path / "b", embedder="none") as b,
    ):
        await b.learn("the kiln is hot")
        assert (await a.merge(b)).stored == 2
        assert [hit.content for hit in await a.recall("kiln")] == ["the kiln is hot"]


def test_another_space_is_not_merged(tmp_path):
    with store(tmp_path / "a", space="one") as a, store(tmp_path / "b", space="two") as b:
        b.remember("of two")
        with pytest.raises(NotAllowed):
            a.merge(b)
        assert a.stats().memories == 0


def test_a_stranger_to_a_closed_space_is_not_merged(tmp_path):
    with store(tmp_path / "a", space="team", closed=True) as a:
        a.remember("for members")
        token = a.invite()
        with store(tmp_path / "b", space="team", closed=True) as b, pytest.raises(NotAllowed):
            a.merge(b)
        with store(tmp_path / "c", invite=token) as c:
            a.merge(c)
            assert knows(c, "members")


def test_what_is_no_store_is_refused(tmp_path):
    with store(tmp_path / "a") as a:
        with pytest.raises(NotFound):
            a.merge(tmp_path / "nowhere")
        assert not (tmp_path / "nowhere").exists()
        with pytest.raises(TypeError):
            a.merge(3)
        with store(tmp_path / "a") as same, pytest.raises(ValueError, match="with itself"):
            a.merge(same)
