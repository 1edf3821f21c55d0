"""Crystals in a store: saved whole, found, resumed elsewhere, branched, kept, and forgotten like every memory."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from chrysalis_memory import ChrysalisMemory, NotAllowed, NotFound, TooLarge
from chrysalis_memory.config import Config
from chrysalis_memory.context import CrystalReaper, Crystals
from crystal_cases import QUIET, SOON, crystal, large_window, now, parts_of, store, two_stores, window
from memory_cases import bag_of_words, eventually, files_hold, found


def test_what_was_saved_is_what_is_read_word_for_word_and_in_order(tmp_path):
    made = crystal(warning="less than asked for")
    with store(tmp_path) as memory:
        saved = Crystals(memory).save(made)
        assert saved == made
        assert memory.verify()
    with store(tmp_path) as memory:
        assert Crystals(memory).get("c1") == made
        assert Crystals(memory).get("c1").window == window()


def test_another_machine_resumes_it_after_a_sync_between_the_two(tmp_path):
    made = crystal(window=large_window(300_000))
    with store(tmp_path / "a", listen="127.0.0.1:0") as one, store(tmp_path / "b") as other:
        Crystals(one).save(made)
        other.sync_once(one.status().address)
        assert Crystals(other).get("c1") == made
        assert other.get("c1").author == one.public_key
        assert other.verify("c1")


def test_a_small_one_is_one_operation_and_a_large_one_many_below_the_bound(tmp_path):
    with store(tmp_path, Config(payload_bytes_max=20_000, promotion_interval_s=0)) as memory:
        Crystals(memory).save(crystal("small"))
        assert len(memory.history("small")) == 1
        made = crystal("large", window=large_window(150_000))
        assert Crystals(memory).save(made) == made
        assert len(parts_of(memory, "large")) > 10
        assert memory.verify()


def test_the_largest_is_kept_and_a_larger_one_refused_wholly(tmp_path):
    with store(tmp_path) as memory:
        made = crystal("large", window=large_window(4_000_000))
        assert Crystals(memory).save(made) == made
        with pytest.raises(TooLarge) as caught:
            Crystals(memory).save(crystal("larger", window=large_window(4_400_000)))
        assert caught.value.hint
        assert memory.get("larger") is None


def test_saving_again_writes_nothing_and_another_one_under_the_id_is_refused(tmp_path):
    with store(tmp_path) as memory:
        crystals, made = Crystals(memory), crystal(window=large_window(100_000))
        crystals.save(made)
        crystals.cherish("c1")
        before = memory.history("c1")
        assert crystals.save(made).pinned
        assert memory.history("c1") == before
        memory.remember("something else", id="note")
        for other in [replace(made, history_summary="else"), replace(made, crystal_id="note")]:
            with pytest.raises(ValueError, match="another memory"):
                crystals.save(other)


def test_one_whose_time_is_over_is_not_saved(tmp_path):
    with store(tmp_path) as memory, pytest.raises(ValueError, match="faded"):
        Crystals(memory).save(crystal(ttl=0.001))


def test_recall_finds_it_by_what_it_says_and_not_by_its_data(tmp_path):
    with store(tmp_path) as memory:
        memory.remember("cone 6 is hot")
        Crystals(memory).save(crystal())
        for words in ["which cone was asked", "zyzzyva", "indented"]:
            hits = memory.recall(words, memory_type="crystal")
            assert [hit.memory.id for hit in hits] == ["c1"], words
        # Only the window holds this word, and the window is data.
        assert found(memory.recall("quagga")) == []
        assert len(memory.recall("cone")) == 2


def test_an_embedder_is_given_its_words_and_not_its_data(tmp_path):
    given = []

    def embed(text):
        given.append(text)
        return bag_of_words(text)

    with ChrysalisMemory(tmp_path, embedder=embed, config=QUIET) as memory:
        Crystals(memory).save(crystal(window=window().add("user", "aardvark " * 20_000)))
        memory.flush()
        said = " ".join(given)
        assert "zyzzyva" in said
        assert "quagga" not in said
        assert "aardvark" not in said
        assert memory.recall("loaded zyzzyva", mode="vector")[0].memory.id == "c1"


def test_it_lists_what_is_there_newest_first(tmp_path):
    with store(tmp_path) as memory:
        crystals = Crystals(memory)
        for number, agent in enumerate(["ada", "ben", "ada"]):
            made = crystal(f"c{number}", timestamp=now(), thread=f"t{number}")
            crystals.save(replace(made, agent=agent))
        memory.remember("no crystal")
        assert [one.crystal_id for one in crystals.list()] == ["c2", "c1", "c0"]
        assert [one.crystal_id for one in crystals.list(agent="ada")] == ["c2", "c0"]
        assert [one.crystal_id for one in crystals.list(thread="t1")] == ["c1"]
        assert [one.crystal_id for one in crystals.list(limit=1)] == ["c2"]
        (entry,) = crystals.list(agent="ben")
        assert (entry.task, entry.tokens, entry.turns, entry.problem) == ("fire the kiln", 21, 4, None)
        assert entry.to_dict()["pinned"] is False


def test_a_list_goes_through_all_pages(tmp_path):
    with store(tmp_path, Config(durability="off", promotion_interval_s=0)) as memory:
        for number in range(40):
            Crystals(memory).save(crystal(f"c{number}"))
        assert len({one.crystal_id for one in Crystals(memory).list()}) == 40


def test_an_unknown_id_and_a_memory_that_is_none_are_not_found(tmp_path):
    with store(tmp_path) as memory:
        note = memory.remember("a note")
        for name in ["nowhere", note.id]:
            for call in ["get", "cherish", "uncherish", "compost", "lineage"]:
                with pytest.raises(NotFound, match=name):
                    getattr(Crystals(memory), call)(name)
        assert memory.get(note.id) == note


def test_consolidating_makes_no_crystal_of_several(tmp_path):
    with store(tmp_path) as memory:
        Crystals(memory).save(crystal())
        Crystals(memory).branch("c1", "again")
        assert memory.consolidate() == []


def test_a_part_that_was_changed_on_the_disk_is_noticed(tmp_path):
    with store(tmp_path) as memory:
        Crystals(memory).save(crystal(window=large_window(150_000)))
        assert memory.verify("c1")
    with closing(sqlite3.connect(tmp_path / "chrysalis.db")) as connection:
        rows = connection.execute("SELECT position, payload FROM operation WHERE kind = 1").fetchall()
        ((position, payload),) = [row for row in rows if b" end17" in row[1]]
        changed = (payload.replace(b" end17", b" end99"), position)
        connection.execute("UPDATE operation SET payload = ? WHERE position = ?", changed)
        connection.commit()
    with store(tmp_path) as memory:
        assert not memory.verify("c1")
        assert not memory.verify()


def test_it_comes_along_into_a_closed_space_with_its_end(tmp_path):
    made = crystal(window=large_window(200_000))
    with store(tmp_path) as memory:
        Crystals(memory).save(made)
        Crystals(memory).save(crystal("dear", pinned=True))
        end, parts = memory.get("c1").expires_at, parts_of(memory, "c1")
    with store(tmp_path, space="team", closed=True) as memory:
        assert memory.brought_along == 2
        assert Crystals(memory).get("c1") == made
        assert Crystals(memory).get("dear").pinned
        assert memory.get("c1").expires_at == end
    # Each of its operations ends with it, the other one's with nothing.
    with closing(sqlite3.connect(tmp_path / "chrysalis.db")) as connection:
        ends = connection.execute("SELECT expires_at, count(*) FROM operation WHERE kind = 1 GROUP BY 1").fetchall()
    assert [at for at, _ in ends] == [None, round(end.timestamp() * 1000)]
    assert (ends[0][1], ends[1][1]) == (1, len(parts))


# Branches, parents, trees.


def test_a_branch_goes_on_from_its_parent_one_deeper(tmp_path):
    with store(tmp_path) as memory:
        crystals = Crystals(memory)
        trunk = crystals.save(crystal("trunk"), scope="kiln", tags=["x"])
        branch = crystals.branch("trunk", "try cone 10", working_memory={"cone": 10})
        deeper = crystals.branch(branch.crystal_id, "cooler", agent="ben")
        assert (branch.parent_crystal, branch.branch_reason, branch.branch_depth) == ("trunk", "try cone 10", 1)
        assert (branch.window, branch.task_state, branch.working_memory) == (
            trunk.window,
            trunk.task_state,
            {"cone": 10},
        )
        assert (deeper.branch_depth, deeper.agent, deeper.working_memory) == (2, "ben", {"cone": 10})
        assert crystals.get("trunk") == trunk
        assert [one.id for one in memory.ancestors(deeper.crystal_id)] == [branch.crystal_id, "trunk"]
        assert memory.get(branch.crystal_id).scope == "kiln"
        assert [one.crystal_id for one in crystals.lineage(deeper.crystal_id)] == [
            deeper.crystal_id,
            branch.crystal_id,
            "trunk",
        ]


def test_the_tree_shows_parents_before_children_and_older_ones_first(tmp_path):
    with store(tmp_path) as memory:
        crystals = Crystals(memory)
        crystals.save(crystal("trunk", timestamp=now() - timedelta(minutes=9)))
        for minutes, name, parent in [
            (8, "left", "trunk"),
            (7, "right", "trunk"),
            (6, "leaf", "left"),
            (5, "own", None),
        ]:
            made = crystal(name, timestamp=now() - timedelta(minutes=minutes))
            crystals.save(replace(made, parent_crystal=parent))
        rows = [(row.level, row.entry.crystal_id, row.is_last) for row in crystals.tree()]
        assert rows == [
            (0, "trunk", True),
            (1, "left", False),
            (2, "leaf", True),
            (1, "right", True),
            (0, "own", True),
        ]
        crystals.compost("trunk")
        assert [(row.level, row.entry.crystal_id) for row in crystals.tree()] == [
            (0, "left"),
            (1, "leaf"),
            (0, "right"),
            (0, "own"),
        ]
        assert crystals.lineage("leaf")[-1].problem.startswith("it is not here")


# Their life.


def test_it_fades_by_itself_on_every_replica_without_a_reaper(tmp_path):
    with store(tmp_path / "a", SOON) as one, store(tmp_path / "b", SOON) as other:
        Crystals(one).save(crystal(ttl=6, window=large_window(90_000)))
        Crystals(one).save(crystal("c2", ttl=6, window=large_window(90_000)))
        other.merge(one)
        Crystals(other).cherish("c2")
        for memory in [one, other]:
            assert eventually(lambda memory=memory: memory.get("c1") is None)
            assert eventually(lambda memory=memory: not files_hold(memory, "fire the kiln") or memory is other)
        with pytest.raises(NotFound):
            Crystals(one).get("c1")
        one.merge(other)
        # Kept elsewhere before its time: it comes back whole.
        assert Crystals(one).get("c2").window == large_window(90_000)
        assert all(memory.verify() for memory in (one, other))


def test_a_cherished_one_survives_its_time_a_restart_and_a_rebuild(tmp_path):
    made = crystal(ttl=4, window=large_window(200_000))
    with store(tmp_path, SOON) as memory:
        Crystals(memory).save(made)
        kept = Crystals(memory).cherish("c1")
        assert kept == replace(made, pinned=True)
        # Its first words go, and with them their operations.
        assert eventually(lambda: memory.get("c1").version == len(parts_of(memory, "c1")) + 1, 20)
    with store(tmp_path) as memory:
        assert asyncio.run(CrystalReaper(memory).reap()) == []
        memory.rebuild()
        assert Crystals(memory).get("c1") == replace(made, pinned=True)
        assert memory.verify()


def test_one_that_is_let_go_again_fades(tmp_path):
    with two_stores(tmp_path) as (one, other):
        Crystals(one).save(crystal())
        Crystals(one).cherish("c1")
        other.merge(one)
        let_go = Crystals(one).uncherish("c1", ttl=1)
        assert not let_go.pinned
        other.merge(one)
        for memory in [one, other]:
            assert eventually(lambda memory=memory: memory.get("c1") is None)
            memory._core().sweep()
            assert Crystals(memory).list() == []
            memory.rebuild()
            assert Crystals(memory).list() == []
            assert memory.verify()


def test_one_that_is_let_go_again_has_the_time_that_it_is_given(tmp_path):
    with store(tmp_path) as memory:
        Crystals(memory).save(crystal())
        Crystals(memory).cherish("c1")
        let_go = Crystals(memory).uncherish("c1", ttl=timedelta(days=3))
        assert not let_go.pinned
        assert abs(memory.get("c1").expires_at - now() - timedelta(days=3)) < timedelta(minutes=1)


def test_two_that_cherish_at_once_agree(tmp_path):
    with two_stores(tmp_path) as (one, other):
        made = crystal(window=large_window(150_000))
        Crystals(one).save(made)
        other.merge(one)
        Crystals(one).cherish("c1")
        Crystals(other).cherish("c1")
        one.merge(other)
        for memory in [one, other]:
            assert Crystals(memory).get("c1") == replace(made, pinned=True)
            assert memory.conflicts("c1") == {}


def test_of_cherishing_and_composting_at_once_composting_wins_everywhere(tmp_path):
    with two_stores(tmp_path) as (one, other):
        Crystals(one).save(crystal())
        other.merge(one)
        Crystals(other).cherish("c1")
        Crystals(one).compost("c1", reason="done with it")
        one.merge(other)
        for memory in [one, other]:
            assert memory.get("c1") is None
            assert files_hold(memory, "zyzzyva") == []
            with pytest.raises(NotFound):
                Crystals(memory).cherish("c1")


def test_composting_erases_every_word_of_it_from_every_file(tmp_path):
    with store(tmp_path) as memory:
        made = crystal(window=large_window(150_000), working_memory={"secret": "plugh9981"})
        Crystals(memory).save(made, tags=["frotz5512"])
        Crystals(memory).cherish("c1")
        memory.recall("zyzzyva")
        memory.flush()
        words = ["zyzzyva", "plugh9981", "frotz5512", "end17", "fire the kiln"]
        assert all(files_hold(memory, word) for word in words)
        assert Crystals(memory).compost("c1").forgotten
        assert {word: files_hold(memory, word) for word in words} == {word: [] for word in words}
        assert memory.verify()


def test_only_its_author_or_an_administrator_composts_it(tmp_path):
    with store(tmp_path / "a", space="team", closed=True) as founder:
        token = founder.invite("writer")
        with store(tmp_path / "b", invite=token) as writer:
            Crystals(founder).save(crystal())
            writer.merge(founder)
            with pytest.raises(NotAllowed):
                Crystals(writer).compost("c1")
            assert Crystals(writer).get("c1") == Crystals(founder).get("c1")


def test_a_copy_of_its_words_under_another_id_is_no_crystal(tmp_path):
    with store(tmp_path) as memory:
        saved = Crystals(memory).save(crystal())
        memory.remember(memory.get("c1").content, id="copy")
        with pytest.raises(NotFound):
            Crystals(memory).get("copy")
        assert Crystals(memory).get("c1") == saved
