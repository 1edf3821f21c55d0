"""The reaper: composts what has faded, on demand and on a schedule, and says what it did."""

import asyncio
import logging
from dataclasses import replace

import pytest

from chrysalis_memory import AgentMemory, NotFound
from chrysalis_memory.context import CrystalReaper, Crystals
from crystal_cases import SOON, awaited, crystal, large_window, store
from memory_cases import eventually, files_hold


def reaped(reaper):
    return asyncio.run(reaper.reap())


def past(entry_id, memory):
    """Waits until the time of a crystal is over."""
    assert eventually(lambda: memory.get(entry_id) is None)


def test_it_composts_what_faded_and_says_which_how_much_and_why(tmp_path):
    with store(tmp_path) as memory:
        crystals = Crystals(memory)
        crystals.save(crystal("stays"))
        crystals.save(crystal("dear"))
        crystals.cherish("dear")
        reaper = CrystalReaper(memory)
        assert reaped(reaper) == []
        saved = crystals.save(crystal(ttl=3, window=large_window(90_000)))
        past("c1", memory)
        assert reaped(reaper) == ["c1"]
        (composted,) = reaper.last_report.composted
        assert (composted.crystal_id, composted.tokens) == ("c1", saved.total_tokens())
        assert composted.size > 90_000
        assert composted.reason == "its time was over: erased"
        assert (reaper.last_report.tokens, reaper.last_report.left) == (21, ())
        assert reaper.last_report.to_dict()["composted"] == [composted.to_dict()]
        assert files_hold(memory, "end17") == []
        assert {one.crystal_id for one in crystals.list()} == {"stays", "dear"}
        assert reaped(reaper) == []
        # It needed no forgetting: the id is free, as of every memory that faded.
        with pytest.raises(NotFound):
            memory.receipt("c1")
        assert memory.verify()


def test_what_the_store_erased_meanwhile_is_told_too(tmp_path):
    with store(tmp_path, SOON) as memory:
        Crystals(memory).save(crystal(ttl=4))
        reaper = CrystalReaper(memory)
        assert reaped(reaper) == []
        past("c1", memory)
        assert eventually(lambda: files_hold(memory, "zyzzyva") == [])
        assert reaped(reaper) == ["c1"]


def test_what_was_let_go_is_forgotten_once_its_time_is_over(tmp_path):
    with store(tmp_path) as memory:
        crystals = Crystals(memory)
        crystals.save(crystal())
        crystals.cherish("c1")
        crystals.uncherish("c1", ttl=1)
        past("c1", memory)
        memory._core().sweep()
        assert files_hold(memory, "zyzzyva") == ["chrysalis.db"]
    with store(tmp_path) as memory:
        # Another program, which never saw it, finds it all the same.
        reaper = CrystalReaper(memory)
        assert reaped(reaper) == ["c1"]
        (composted,) = reaper.last_report.composted
        assert (composted.tokens, composted.reason) == (21, "it was let go, and its time was over: forgotten")
        assert files_hold(memory, "zyzzyva") == []
        assert memory.receipt("c1").forgotten
        assert reaped(reaper) == []
        assert memory.verify()


def test_what_was_composted_by_hand_or_kept_meanwhile_is_not_told(tmp_path):
    with store(tmp_path) as memory:
        crystals = Crystals(memory)
        for name in ["gone", "kept", "longer"]:
            crystals.save(crystal(name, ttl=4))
        reaper = CrystalReaper(memory)
        assert reaped(reaper) == []
        crystals.compost("gone")
        crystals.cherish("kept")
        crystals.uncherish("longer", ttl=3600)
        crystals.save(crystal("mark", ttl=4))
        past("mark", memory)
        assert reaped(reaper) == ["mark"]
        assert {one.crystal_id for one in crystals.list()} == {"kept", "longer"}


def test_of_another_replica_s_what_it_may_not_forget_is_left_and_said(tmp_path):
    with store(tmp_path / "a", space="team", closed=True) as founder:
        token = founder.invite("writer")
        with store(tmp_path / "b", invite=token) as writer:
            Crystals(founder).save(crystal())
            Crystals(founder).cherish("c1")
            Crystals(founder).uncherish("c1", ttl=1)
            writer.merge(founder)
            past("c1", writer)
            reaper = CrystalReaper(writer)
            assert reaped(reaper) == []
            (left,) = reaper.last_report.left
            assert (left.crystal_id, left.reason.startswith("its time is over, and ")) == ("c1", True)
            assert reaped(CrystalReaper(founder)) == ["c1"]
            writer.merge(founder)
            assert reaped(reaper) == []
            assert (reaper.last_report.left, files_hold(writer, "zyzzyva")) == ((), [])


def test_what_a_reaper_has_forgotten_is_gone_also_for_who_cherished_it_anew_unheard(tmp_path):
    with store(tmp_path / "a") as one, store(tmp_path / "b") as other:
        Crystals(one).save(crystal())
        Crystals(one).cherish("c1")
        other.merge(one)
        Crystals(one).uncherish("c1", ttl=1)
        past("c1", one)
        Crystals(other).uncherish("c1", ttl=3600)
        assert Crystals(other).cherish("c1").pinned
        assert reaped(CrystalReaper(one)) == ["c1"]
        one.merge(other)
        for memory in [one, other]:
            assert Crystals(memory).list() == []
            assert files_hold(memory, "zyzzyva") == []


def test_two_reapers_that_compost_at_once_agree(tmp_path):
    with store(tmp_path / "a") as one, store(tmp_path / "b") as other:
        Crystals(one).save(crystal())
        Crystals(one).cherish("c1")
        Crystals(one).uncherish("c1", ttl=1)
        other.merge(one)
        past("c1", other)
        assert (reaped(CrystalReaper(one)), reaped(CrystalReaper(other))) == (["c1"], ["c1"])
        one.merge(other)
        for memory in [one, other]:
            assert (Crystals(memory).list(), reaped(CrystalReaper(memory))) == ([], [])
            assert memory.verify()


def test_on_a_schedule_it_looks_again_and_again_until_it_is_stopped(tmp_path):
    async def main():
        async with AgentMemory("ada", path=tmp_path, embedder="none", sync=False) as memory:
            crystals = Crystals(memory.blocking)
            crystals.save(crystal(ttl=1.3))
            async with CrystalReaper(memory, interval_s=0.01) as reaper:
                assert await reaper.start() is reaper
                assert await awaited(lambda: reaper.last_report and reaper.last_report.composted)
                assert [one.crystal_id for one in reaper.last_report.composted] == ["c1"]
            await reaper.stop()
            crystals.save(crystal("c2"))
            return reaper, len(asyncio.all_tasks())

    _, tasks = asyncio.run(main())
    assert tasks == 1


def test_a_look_that_fails_is_logged_and_the_schedule_goes_on(tmp_path, caplog):
    async def main():
        memory = store(tmp_path)
        memory.close()
        async with CrystalReaper(memory, interval_s=0.001):
            assert await awaited(lambda: len(caplog.records) > 1)

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert "crystals were not composted" in caplog.records[0].message


def test_what_it_logs_names_ids_and_sizes_and_no_words(tmp_path, caplog):
    with store(tmp_path) as memory, caplog.at_level(logging.INFO):
        Crystals(memory).save(replace(crystal(), ttl=1.3))
        reaper = CrystalReaper(memory)
        reaped(reaper)
        past("c1", memory)
        reaped(reaper)
        assert "composted crystal c1: 21 tokens" in caplog.text
        assert "zyzzyva" not in caplog.text


def test_an_interval_is_greater_than_zero(tmp_path):
    with store(tmp_path) as memory, pytest.raises(ValueError, match="interval_s"):
        CrystalReaper(memory, 0)
