"""ghost status, show and clear from the command line."""

from datetime import datetime, timedelta, timezone

import pytest

from chrysalis_memory.ghost import GhostCache
from ghost_cases import Hands


@pytest.fixture
def hands():
    return Hands(datetime.now(timezone.utc) - timedelta(minutes=5))


@pytest.fixture
def ghost(chrysalis, hands):
    return GhostCache(chrysalis.ghost, now=hands)


def test_an_empty_ghost_says_what_would_fill_it(chrysalis):
    done = chrysalis("ghost", "status", terminal=True)
    assert done.code == 0
    assert "nothing is kept yet" in done.out
    assert "not measured yet" in done.out
    assert chrysalis("ghost", "status", "--json").json["entries"] == []
    assert not chrysalis.ghost.exists()


def test_status_tells_entries_levels_and_ages(chrysalis, ghost, hands):
    ghost.write("status", {"text": "59 memories"})
    ghost.record_call(True)
    hands.go(minutes=-140)
    ghost.write_agent("Tide Watch", {"text": "reading"})
    ghost.pheromones.deposit("warning", "thin ice", half_life=10**6)
    ghost.proposals.propose("close pier 3")
    shown = chrysalis("ghost", "status", terminal=True).out
    assert [line.split()[:4] for line in shown.splitlines() if "minutes" in line and "fresh " in line][-1:] == [
        ["status", "fresh", "5", "minutes"]
    ]
    assert "agent Tide Watch" in shown
    assert "100% of the last 1 call got the live answer" in shown
    assert "1 pending, 0 rejected" in shown
    rows = chrysalis("ghost", "status").rows
    assert ["stability", "1.00", "1"] in rows
    assert ["threshold_s", "7200"] in rows
    assert [row[:3] for row in rows if row[0] == "entry"] == [
        ["entry", "status", "fresh"],
        ["entry", "agent Tide Watch", "stale"],
    ]
    told = chrysalis("ghost", "status", "--json").json
    assert [(one["what"], one["level"]) for one in told["entries"]] == [("status", "fresh"), ("agent", "stale")]
    assert told["stability"]["score"] == 1.0


def test_status_names_what_was_set_aside(chrysalis, ghost):
    ghost.write("status", 1)
    (chrysalis.ghost / "map.json").write_bytes(b"junk")
    rows = chrysalis("ghost", "status").rows
    assert ["set aside", "map.json.set-aside-1"] in rows
    assert any(row[:2] == ["problem", "map.json"] for row in rows)
    assert "never deleted by itself" in chrysalis("ghost", "status", terminal=True).out


def test_show_tells_a_fresh_entry_as_it_is(chrysalis, ghost):
    ghost.write("status", {"text": "59 memories", "count": 59})
    assert chrysalis("ghost", "show").out == "59 memories\n"
    assert chrysalis("ghost", "show", "status", "--json").json["data"] == {"text": "59 memories", "count": 59}
    assert "5 minutes old, fresh" in chrysalis("ghost", "show", terminal=True).out


def test_show_marks_a_stale_entry_and_refuses_an_old_one(chrysalis, ghost, hands):
    hands.go(minutes=-85)
    ghost.write_agent("ada", {"text": "reading\nthe tables"})
    hands.go(hours=-3)
    ghost.write("cluster", {"peers": 2})
    assert chrysalis("ghost", "show", "agent", "ada").out == (
        "[GHOST] 1 hour 30 minutes old; it counts as fresh for 1 hour\nreading\nthe tables\n"
    )
    assert "[GHOST] 1 hour 30 minutes old" in chrysalis("ghost", "show", "agent", "ada", terminal=True).out
    refused = chrysalis("ghost", "show", "cluster", "--json")
    assert (refused.code, refused.out, refused.error["code"]) == (4, "", "ghost_refused")
    assert "4 hours 30 minutes old; after 2 hours it would rather mislead than help" in refused.error["message"]


def test_a_miss_is_clear_and_says_what_was_wrong_with_the_file(chrysalis, ghost):
    missed = chrysalis("ghost", "show", "map", "--json")
    assert (missed.code, missed.error["code"]) == (1, "ghost_miss")
    assert missed.error["message"] == "nothing is kept of map"
    ghost.write("status", 1)
    (chrysalis.ghost / "map.json").write_bytes(b"junk")
    assert "map.json: it is no JSON" in chrysalis("ghost", "show", "map").err


def test_show_tells_pheromones_and_proposals(chrysalis, ghost):
    assert "nothing is in the air" in chrysalis("ghost", "show", "pheromones", terminal=True).out
    assert "no proposals" in chrysalis("ghost", "show", "proposals", terminal=True).out
    ghost.pheromones.deposit("warning", "thin ice", agent="ada", half_life=10**6)
    ghost.pheromones.deposit("dream", "flying", half_life=10**6)
    rows = chrysalis("ghost", "show", "pheromones", "warning").rows
    assert [(row[0], row[2], row[3]) for row in rows] == [("WARNING", "ada", "thin ice")]
    assert len(chrysalis("ghost", "show", "pheromones", "--json").json) == 2
    assert "thin ice" in chrysalis("ghost", "show", "pheromones", terminal=True).out
    one = ghost.proposals.propose("close pier 3", agent="ada")
    ghost.proposals.reject(one.id, "the ferry needs it")
    assert chrysalis("ghost", "show", "proposals").rows == [
        ["rejected", one.id, "ada", "close pier 3", "the ferry needs it"]
    ]
    told = chrysalis("ghost", "show", "proposals", "--json").json
    assert (told["pending"], told["rejected"][0]["reason"]) == ([], "the ferry needs it")
    assert "the ferry needs it" in chrysalis("ghost", "show", "proposals", terminal=True).out


def test_control_characters_of_others_do_not_reach_the_terminal(chrysalis, ghost):
    ghost.write_agent("\x1b[2Jada", {"text": "a\x1b[31mb"})
    ghost.pheromones.deposit("warn\x1b[0m", "c\x1b[2Jd [bold]e[/bold]")
    for arguments in (["status"], ["show", "agent", "\x1b[2Jada"], ["show", "pheromones"]):
        out = chrysalis("ghost", *arguments, terminal=True).out
        assert "\x1b[2J" not in out
        assert "\x1b[31m" not in out
    assert "[bold]e[/bold]" in out


def test_misuse_is_said(chrysalis):
    assert chrysalis("ghost", "show", "agent").code == 2
    assert chrysalis("ghost", "show", "map", "ada").code == 2
    assert chrysalis("ghost", "show", "nonsense").code == 2


def test_clearing_asks_first_and_deletes_only_entries(chrysalis, ghost):
    ghost.write("status", 1)
    (chrysalis.ghost / "notes.txt").write_text("mine")
    (chrysalis.ghost / "map.json").write_bytes(b"junk")
    assert "add --yes" in chrysalis("ghost", "clear", stdin="y\n").err
    assert ghost.read("status") is not None
    assert ghost.read("map") is None
    assert chrysalis("ghost", "clear", "--yes").out == "status.json\n"
    assert chrysalis("ghost", "clear", "--yes", "--set-aside", "--json").json["cleared"] == ["map.json.set-aside-1"]
    assert "nothing to clear" in chrysalis("ghost", "clear", "--yes", terminal=True).out
    assert (chrysalis.ghost / "notes.txt").read_text() == "mine"


def test_the_ghost_of_a_store_is_found_by_the_store(chrysalis, monkeypatch, tmp_path):
    monkeypatch.delenv("CHRYSALIS_GHOST")
    monkeypatch.setattr("chrysalis_memory.config.user_data_path", lambda *_, **__: tmp_path / "data")
    paths = {chrysalis("ghost", "status", "--store", store, "--json").json["path"] for store in ("one", "other")}
    assert len(paths) == 2
    assert chrysalis("ghost", "status", "--ghost", "here", "--json").json["path"] == "here"
