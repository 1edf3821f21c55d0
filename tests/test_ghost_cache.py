"""The ghost as a whole: its layout, what it says of its entries, snapshots, overview and clearing."""

import json
import os
import tempfile
from pathlib import Path
from time import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chrysalis_memory import Config
from chrysalis_memory.config import default_path
from chrysalis_memory.ghost import GhostCache, Staleness, default_ghost_path
from ghost_cases import NOON, Hands

PLACES = [
    "map.json",
    "agents/ada.json",
    "agents/_index.json",
    "pheromones/by_type/WARNING.json",
    "pheromones/active.json",
    "proposals/pending.json",
    "proposals/rejected.json",
    "_meta/stability_score.json",
    "_meta/last_sync.txt",
]
_KEYS = st.sampled_from("agent state agents traces type proposals recent id at written_at".split())


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def ghost(tmp_path, hands):
    return GhostCache(tmp_path / "ghost", base_threshold=3600, now=hands)


def test_the_files_are_laid_out_as_specified(ghost):
    ghost.write("status", {"text": "whole"})
    ghost.write("map", {"crystals": []})
    ghost.write("cluster", {"peers": 2})
    ghost.write_agent("ada", {"task": "tides"})
    ghost.pheromones.deposit("warning", "thin ice")
    ghost.pheromones.deposit("dream", "flying")
    ghost.proposals.reject(ghost.proposals.propose("x").id, "no")
    ghost.record_call(True)
    found = {path.relative_to(ghost.path).as_posix() for path in ghost.path.rglob("*") if path.is_file()}
    assert found == {
        "status.json",
        "map.json",
        "agents/ada.json",
        "agents/_index.json",
        "pheromones/active.json",
        "pheromones/by_type/WARNING.json",
        "pheromones/by_type/DREAM.json",
        "proposals/pending.json",
        "proposals/rejected.json",
        "cluster/status.json",
        "_meta/last_sync.txt",
        "_meta/stability_score.json",
        "_meta/.lock",
    }
    assert json.loads((ghost.path / "_meta/stability_score.json").read_text())["data"]["score"] == 1.0
    assert (ghost.path / "_meta/last_sync.txt").read_text() == "2026-03-01T12:00:00.000Z\n"


def test_an_entry_is_shown_then_shown_as_a_ghost_then_refused(ghost, hands):
    ghost.write("status", {"text": "59 memories"})
    fresh = ghost.read("status")
    assert (fresh.level, fresh.text, fresh.data) == (Staleness.FRESH, "59 memories", {"text": "59 memories"})
    hands.go(minutes=61)
    stale = ghost.read("status")
    assert stale.level is Staleness.STALE
    assert stale.text == "[GHOST] 1 hour 1 minute old; it counts as fresh for 1 hour\n59 memories"
    hands.go(hours=1)
    refused = ghost.read("status")
    assert (refused.level, refused.data) == (Staleness.REFUSE, None)
    assert refused.text == "[GHOST] not shown: 2 hours 1 minute old; after 2 hours it would rather mislead than help"


def test_calls_that_succeed_make_the_threshold_longer_and_failures_shorter(ghost, hands):
    assert ghost.threshold_s == 3600
    for _ in range(3):
        ghost.record_call(True)
    assert ghost.threshold_s == 7200
    ghost.record_call(False)
    assert ghost.threshold_s == 3600 * 1.75
    assert GhostCache(ghost.path, base_threshold=60).threshold_s == 60 * 1.75
    ghost.write("status", 1)
    hands.go(minutes=90)
    assert ghost.read("status").level is Staleness.FRESH


def test_the_last_sync_is_the_last_success(ghost, hands):
    assert ghost.last_sync() is None
    ghost.record_call(True)
    hands.go(hours=1)
    ghost.record_call(False)
    assert ghost.last_sync() == NOON


def test_an_entry_from_the_future_is_said_to_be(ghost, hands):
    ghost.write("status", "later")
    hands.go(minutes=-30)
    reading = ghost.read("status")
    assert reading.level is Staleness.STALE
    assert reading.age == "from the future"
    assert reading.text == (
        "[GHOST] dated 30 minutes in the future: this machine's clock was set back, or was ahead\nlater"
    )


@pytest.mark.parametrize("agent", ["ada", "Ada", "../x", "\0", "CON", "日本", "x" * 256, "\ud800"])
def test_any_agent_has_a_snapshot_inside_the_folder(ghost, tmp_path, agent):
    ghost.write_agent(agent, {"of": agent})
    assert ghost.read_agent(agent).data == {"of": agent}
    assert [one.agent for one in ghost.agents()] == [agent]
    assert os.listdir(tmp_path) == ["ghost"]
    assert len(os.listdir(ghost.path / "agents")) == 2


def test_names_that_differ_only_in_case_are_two_agents(ghost):
    for agent in ("ada", "Ada", "ADA"):
        ghost.write_agent(agent, agent)
    assert [ghost.read_agent(agent).data for agent in ("ada", "Ada", "ADA")] == ["ada", "Ada", "ADA"]


def test_no_agent_without_a_name(ghost):
    with pytest.raises(ValueError, match="the agent is empty"):
        ghost.write_agent("", 1)
    with pytest.raises(ValueError, match="at most 256"):
        ghost.read_agent("x" * 257)


def test_a_snapshot_is_changed_in_one_step_and_removed(ghost):
    ghost.change_agent("ada", lambda state: [state])
    ghost.change_agent("ada", lambda state: [*state, 2])
    assert ghost.read_agent("ada").data == [None, 2]
    assert ghost.remove_agent("ada")
    assert not ghost.remove_agent("ada")
    assert ghost.read_agent("ada") is None
    assert ghost.agents() == []


def test_a_lost_or_broken_index_is_made_again_from_the_snapshots(ghost):
    ghost.write_agent("ada", 1)
    ghost.write_agent("Bo", 2)
    index = ghost.path / "agents/_index.json"
    index.unlink()
    assert [one.agent for one in ghost.agents()] == ["Bo", "ada"]
    for junk in (b"junk", b'{"ghost": 1, "written_at": "2026-03-01", "data": {"agents": [{"agent": "x"}]}}'):
        index.write_bytes(junk)
        assert [one.agent for one in ghost.agents()] == ["Bo", "ada"]
    ghost.write_agent("cy", 3)
    assert [one["agent"] for one in json.loads(index.read_text())["data"]["agents"]] == ["cy", "ada", "Bo"]


def test_the_index_lists_nobody_whose_snapshot_is_gone(ghost):
    ghost.write_agent("ada", 1)
    (ghost.path / "agents/ada.json").unlink()
    assert ghost.agents() == []


def test_of_too_many_agents_the_one_written_longest_ago_makes_room(ghost, hands, monkeypatch):
    monkeypatch.setattr("chrysalis_memory.ghost.snapshots.AGENTS_MAX", 5)
    for number in range(6):
        hands.go(seconds=1)
        ghost.write_agent(f"agent-{number}", number)
    names = {one.agent for one in ghost.agents()}
    assert len(names) == 5
    assert "agent-0" not in names
    assert not (ghost.path / "agents/agent-0.json").exists()


def test_snapshots_have_a_bound_in_bytes_together(ghost, hands, monkeypatch):
    monkeypatch.setattr("chrysalis_memory.ghost.snapshots.AGENTS_BYTES_MAX", 5000)
    for number in range(4):
        hands.go(seconds=1)
        ghost.write_agent(f"agent-{number}", "x" * 2000)
    assert [one.agent for one in ghost.agents()] == ["agent-2", "agent-3"]


def test_the_overview_tells_all_and_names_what_was_set_aside(ghost):
    ghost.write("status", "x")
    ghost.write_agent("ada", 1)
    ghost.pheromones.deposit("warning", "thin ice", strength=0.5)
    ghost.proposals.propose("x")
    ghost.record_call(True)
    ghost.record_call(False)
    (ghost.path / "map.json").write_bytes(b"junk")
    found = ghost.overview()
    assert [(one.what, one.name) for one in found.entries] == [("status", None), ("agent", "ada")]
    assert (found.stability.score, found.threshold_s, found.last_sync) == (0.5, 5400.0, NOON)
    assert (found.pheromones, found.pending, found.rejected) == ({"WARNING": 0.5}, 1, 0)
    assert found.set_aside == ("map.json.set-aside-1",)
    assert [one.place for one in found.problems] == ["map.json"]
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["stability"]["score"] == 0.5
    assert plain["entries"][0]["level"] == "fresh"


def test_an_empty_ghost_has_an_overview_and_no_folder(ghost):
    assert ghost.overview().entries == ()
    assert ghost.clear() == []
    assert not ghost.path.exists()


def test_clearing_takes_every_entry_and_nothing_else(ghost):
    test_the_files_are_laid_out_as_specified(ghost)
    (ghost.path / "map.json").write_bytes(b"junk")
    assert ghost.read("map") is None
    (ghost.path / "notes.txt").write_text("somebody's")
    old, new = ghost.path / "agents/.ada.json.old", ghost.path / "agents/.ada.json.new"
    for path in (old, new):
        path.write_text("unfinished")
    os.utime(old, (time() - 7200, time() - 7200))
    cleared = ghost.clear()
    assert "status.json" in cleared
    assert "agents/ada.json" in cleared
    left = {path.relative_to(ghost.path).as_posix() for path in ghost.path.rglob("*") if path.is_file()}
    assert left == {"map.json.set-aside-1", "notes.txt", "_meta/.lock", "agents/.ada.json.new"}
    assert ghost.overview().entries == ()
    assert ghost.clear(set_aside=True) == ["map.json.set-aside-1"]


def test_there_are_no_other_entries(ghost):
    for call in (lambda: ghost.write("../x", 1), lambda: ghost.read("agents")):
        with pytest.raises(ValueError, match="there are status, map, cluster"):
            call()


def test_the_default_folder_lies_beside_the_default_store():
    assert default_ghost_path() == default_path().parent / "ghost"
    assert GhostCache().path == default_ghost_path() == default_ghost_path(default_path())
    assert Config().working_ttl_s > 2 * 2 * GhostCache().base_threshold_s


def test_stores_do_not_share_a_ghost(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = default_ghost_path(tmp_path / "one"), default_ghost_path(tmp_path / "other")
    assert len({one, other, default_ghost_path()}) == 3
    assert {path.parent for path in (one, other)} == {default_path().parent}
    assert default_ghost_path("one") == one


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.sampled_from(PLACES), st.binary(max_size=60) | JSON, st.booleans())
def test_whatever_lies_in_the_files_the_ghost_answers_and_can_be_written(place, content, is_entry):
    with tempfile.TemporaryDirectory() as folder:
        ghost = GhostCache(folder, now=Hands())
        data = {"ghost": 1, "written_at": "2026-03-01T12:00:00Z", "data": content} if is_entry else content
        path = Path(folder, place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(data).encode())
        ghost.overview()
        ghost.write("map", 1)
        ghost.write_agent("ada", 1)
        ghost.pheromones.deposit("warning", "thin ice")
        ghost.proposals.reject(ghost.proposals.propose("x").id, "no")
        ghost.record_call(True)
        found = ghost.overview()
        assert found.pheromones["WARNING"] >= 1
        assert {one.what for one in found.entries} >= {"map", "agent"}
        assert all(one.set_aside_as for one in ghost.problems)
