"""Many processes on one ghost: nothing lost, nothing torn, nobody accepted twice."""

import multiprocessing

import pytest

import ghost_cases
from chrysalis_memory.errors import StoreLocked
from chrysalis_memory.ghost import GhostCache
from chrysalis_memory.ghost import files as ghost_files
from ghost_cases import wait_for
from process_cases import WITHIN_S, WORKERS, together


def test_no_pheromone_of_four_processes_is_lost(processes, tmp_path):
    problems = together(processes, ghost_cases.deposit, [(str(tmp_path), worker, 10) for worker in range(WORKERS)])
    ghost = GhostCache(tmp_path)
    assert problems == [0] * WORKERS
    assert len(ghost.pheromones.sniff("warning")) == 10 * WORKERS
    (shared,) = ghost.pheromones.sniff("shared")
    assert shared.strength == pytest.approx(10 * WORKERS, rel=0.01)


def test_of_four_processes_that_accept_the_same_proposals_one_gets_each(processes, tmp_path):
    made = together(processes, ghost_cases.propose, [(str(tmp_path), worker, 5) for worker in range(WORKERS)])
    ids = [one for some in made for one in some]
    assert len({one.id for one in GhostCache(tmp_path).proposals.pending()} & set(ids)) == 5 * WORKERS
    accepted = together(processes, ghost_cases.accept, [(str(tmp_path), ids)] * WORKERS)
    assert sorted(one for some in accepted for one in some) == sorted(ids)
    assert GhostCache(tmp_path).proposals.pending() == []


def test_readers_see_whole_entries_while_others_write(processes, tmp_path):
    GhostCache(tmp_path).write("status", "first")
    writing = [processes.submit(ghost_cases.snapshot, str(tmp_path), worker, 10) for worker in range(3)]
    reading = processes.submit(ghost_cases.read_status, str(tmp_path), 300)
    assert reading.result(timeout=WITHIN_S) == 300
    assert [one.result(timeout=WITHIN_S) for one in writing] == [0, 0, 0]
    ghost = GhostCache(tmp_path)
    assert (ghost.stability().calls, ghost.stability().succeeded) == (30, 15)
    assert [ghost.read_agent(f"Agent {worker}").data for worker in range(3)] == [{"number": 9}] * 3
    assert len(ghost.agents()) == 3


def test_a_process_that_holds_the_lock_keeps_writers_out_and_readers_in(processes, tmp_path, monkeypatch):
    path, held, release = tmp_path / "ghost", tmp_path / "held", tmp_path / "release"
    GhostCache(path).write("status", "before")
    holding = processes.submit(ghost_cases.hold, str(path), str(held), str(release))
    wait_for(held)
    monkeypatch.setattr(ghost_files, "LOCK_WAIT_S", 0.01)
    ghost = GhostCache(path)
    assert ghost.read("status").data == "before"
    with pytest.raises(StoreLocked):
        ghost.write("status", "after")
    release.touch()
    holding.result(timeout=WITHIN_S)
    ghost.write("status", "after")
    assert ghost.read("status").data == "after"


def test_agents_in_three_processes_share_one_store_and_one_ghost(processes, tmp_path):
    store, path = str(tmp_path / "store"), str(tmp_path / "ghost")
    made = together(processes, ghost_cases.crystallize, [(store, path, worker, 4) for worker in range(3)])
    ids = {one for some in made for one in some}
    ghost = GhostCache(path)
    assert len(ids) == 12
    assert ghost.stability().recent == "1" * 24
    assert [one.agent for one in ghost.agents()] == ["w0: answers", "w1: answers", "w2: answers"]
    assert {row["crystal_id"] for row in ghost.read("map").data["crystals"]} <= ids
    assert ghost.overview().problems == ()


def test_a_process_that_is_killed_while_it_writes_leaves_whole_files_and_no_lock(tmp_path):
    path = tmp_path / "ghost"
    for attempt in range(4):
        begun = tmp_path / f"begun-{attempt}"
        writer = multiprocessing.get_context("spawn").Process(
            target=ghost_cases.write_for_ever, args=(str(path), str(begun))
        )
        writer.start()
        wait_for(begun)
        writer.kill()
        writer.join(timeout=WITHIN_S)
        assert not writer.is_alive()
        ghost = GhostCache(path)
        assert ghost.read("status").data["number"] >= 3
        assert ghost.pheromones.sniff("warning")
        assert set(ghost.stability().recent) == {"1"}
        ghost.write("map", attempt)
        assert ghost.overview().problems == ()
