"""context save, resume, list, show, branch, cherish, compost and tree from the command line."""

import json
from datetime import datetime, timezone

import pytest

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.context import ContextWindow, Crystals, StateCrystal
from chrysalis_memory.ghost import GhostCache

TALK = "user: Which cone?\n\nassistant: [FOCUS:decision] Cone 6, since the clay is fine.\n\nAnd slowly.\n"


@pytest.fixture
def saved(chrysalis):
    """The command line on a store with one crystal, and the crystal's id."""
    done = chrysalis("context", "save", "-", "--task", "fire the kiln", "--agent", "ada", stdin=TALK)
    assert done.code == 0, done.err
    return done.out.strip()


def gone(chrysalis):
    """The store is not there any more, as when its disk is not mounted."""
    chrysalis.store.rename(chrysalis.store.with_name("elsewhere"))


def test_what_is_saved_is_resumed_as_text_to_paste(chrysalis, saved):
    assert chrysalis("context", "resume", saved).out == TALK
    assert chrysalis("context", "resume", saved[:16]).out == TALK
    assert chrysalis("context", "resume", saved.removeprefix("crystal-")[:8]).out == TALK
    messages = chrysalis("context", "resume", saved, "--messages").json
    assert [one["role"] for one in messages] == ["user", "assistant"]
    told = chrysalis("context", "resume", saved, "--json").json
    assert (told["is_ghost"], told["text"]) == (False, TALK.strip())
    assert [turn.role for turn in ContextWindow.from_dict(told["value"]).turns] == ["user", "assistant"]


def test_what_was_resumed_can_be_saved_again_in_every_form(chrysalis, saved):
    for option in ([], ["--json"], ["--messages"]):
        out = chrysalis("context", "resume", saved, *option).out
        again = chrysalis("context", "save", "-", stdin=out).out.strip()
        assert again != saved
        assert chrysalis("context", "resume", again).out == TALK


def test_words_without_roles_become_one_turn(chrysalis, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("The gauge sticks.\n\nAsk Ines.\n")
    identity = chrysalis("context", "save", str(notes)).out.strip()
    assert chrysalis("context", "resume", identity).out == "user: The gauge sticks.\n\nAsk Ines.\n"


def test_what_has_no_title_is_named_by_how_it_begins(chrysalis):
    chrysalis("context", "save", "-", stdin=TALK.replace("Which cone?", "Which cone " + "and which clay " * 9))
    (entry,) = chrysalis("context", "list", "--json").json["crystals"]
    assert entry["task"].startswith("Which cone and which clay")
    assert entry["task"].endswith("…")
    assert len(entry["task"]) <= 80


def test_saving_tells_people_what_became_of_it(chrysalis):
    out = chrysalis("context", "save", "-", stdin=TALK, terminal=True).out
    assert out.startswith("saved ")
    assert "2 turns" in out
    assert "fades 20" in out


def test_task_steps_and_notes_are_kept(chrysalis):
    done = chrysalis(
        *["context", "save", "-", "--task", "fire", "--status", "blocked", "--done", "loaded"],
        *["--next", "heat", "--next", "cool", "--note", "cone=6", "--ttl", "7d", "--json"],
        stdin=TALK,
    )
    crystal = done.json["value"]
    assert crystal["task_state"] == {
        "task": "fire",
        "status": "blocked",
        "done": ["loaded"],
        "next_steps": ["heat", "cool"],
        "details": {},
    }
    assert (crystal["working_memory"], crystal["ttl"]) == ({"cone": 6}, 7 * 86400)
    shown = chrysalis("context", "show", crystal["crystal_id"], terminal=True).out
    for words in ("fire (blocked)", "loaded", "heat", "cool", "cone:", "Cone 6, since the clay is fine."):
        assert words in shown


def test_a_window_as_json_and_messages_are_read(chrysalis, tmp_path):
    window = ContextWindow().add("user", "a").add("tool", "b", name="grep")
    told = tmp_path / "window.json"
    told.write_text(json.dumps(window.to_dict()))
    identity = chrysalis("context", "save", str(told), "--format", "json").out.strip()
    assert "user: a" in chrysalis("context", "resume", identity).out
    bad = chrysalis("context", "save", "-", "--format", "json", stdin="{}")
    assert (bad.code, bad.out) == (4, "")
    assert chrysalis("context", "save", "-", "--format", "json", stdin="junk").code == 4


def test_what_says_nothing_or_is_not_there_is_no_crystal(chrysalis, tmp_path):
    assert chrysalis("context", "save", "-", stdin=" \n").code == 2
    missing = chrysalis("context", "save", str(tmp_path / "missing"), "--json")
    assert (missing.code, missing.error["code"]) == (4, "malformed")
    assert not chrysalis.store.exists()


def test_a_session_of_claude_code_is_crystallized_with_its_thread(chrysalis, tmp_path):
    session = tmp_path / "session.jsonl"
    told = [
        {"type": "user", "uuid": "1", "sessionId": "s-1", "message": {"role": "user", "content": "Which cone?"}},
        {
            "type": "assistant",
            "uuid": "2",
            "parentUuid": "1",
            "sessionId": "s-1",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Cone 6."}]},
        },
    ]
    session.write_text("\n".join(["{broken", *map(json.dumps, told)]))
    for source, stdin in ((str(session), None), ("-", session.read_bytes())):
        done = chrysalis("context", "save", source, "--json", stdin=stdin)
        assert done.code == 0, done.err
        assert "1 record left out; the first: line 1" in done.err
        crystal = done.json["value"]
        assert crystal["thread"] == "s-1"
        assert chrysalis("context", "resume", crystal["crystal_id"]).out == "user: Which cone?\n\nassistant: Cone 6.\n"


def test_list_shows_the_newest_first(chrysalis, saved):
    second = chrysalis("context", "save", "-", "--task", "glaze", stdin="notes").out.strip()
    assert [row[0] for row in chrysalis("context", "list").rows] == [second, saved]
    assert [row[0] for row in chrysalis("context", "list", "--agent", "ada").rows] == [saved]
    assert [row[0] for row in chrysalis("context", "list", "-n", "1").rows] == [second]
    third = chrysalis("context", "save", "-", "--thread", "kiln", "--cherish", stdin="notes").out.strip()
    assert [row[0] for row in chrysalis("context", "list", "--thread", "kiln").rows] == [third]
    assert "cherished" in chrysalis("context", "tree", "--thread", "kiln", terminal=True).out
    assert chrysalis("context", "compost", third, "--yes").code == 0
    told = chrysalis("context", "list", "--json").json
    assert told["is_ghost"] is False
    assert [one["task"] for one in told["crystals"]] == ["glaze", "fire the kiln"]
    shown = chrysalis("context", "list", terminal=True).out
    assert "fire the kiln" in shown
    assert "1 day left" in shown
    assert "ada" in shown


@pytest.mark.usefixtures("saved")
def test_lists_are_narrowed_by_scope(chrysalis):
    with ChrysalisMemory(chrysalis.store, embedder="none") as memory:
        Crystals(memory).save(StateCrystal("c1", "graph", datetime.now(timezone.utc)), scope="langgraph/run")
    assert [row[0] for row in chrysalis("context", "list", "--scope", "langgraph").rows] == ["c1"]
    assert [row[1] for row in chrysalis("context", "tree", "--scope", "langgraph/run").rows] == ["c1"]
    assert chrysalis("context", "list", "--scope", "lang").rows == []
    assert len(chrysalis("context", "list").rows) == 2


def test_branches_are_drawn_below_what_they_branch_from(chrysalis, saved):
    branch = chrysalis("context", "branch", saved, "try cone 10", "--agent", "bo").out.strip()
    chrysalis("context", "branch", branch[:16], "at night")
    lines = chrysalis("context", "tree", terminal=True).out.splitlines()
    assert saved.removeprefix("crystal-")[:16] in lines[0]
    assert "└── " in lines[1]
    assert "try cone 10" in lines[1]
    assert "at night" in lines[2]
    assert lines[2].index("└") > lines[1].index("└")
    rows = chrysalis("context", "tree").rows
    assert [(row[0], row[3]) for row in rows] == [("0", ""), ("1", "try cone 10"), ("2", "at night")]
    assert rows[1][2] == saved
    assert [one["level"] for one in chrysalis("context", "tree", "--json").json["crystals"]] == [0, 1, 2]
    shown = chrysalis("context", "show", branch, terminal=True).out
    assert "try cone 10" in shown
    assert f"{saved.removeprefix('crystal-')[:16]}, 1 deep" in shown


def test_a_long_chain_is_drawn_within_the_terminal(chrysalis, saved):
    with ChrysalisMemory(chrysalis.store, embedder="none") as memory:
        parent = Crystals(memory).get(saved)
        for _ in range(30):
            parent = Crystals(memory).branch(parent.crystal_id, "on and on")
    lines = chrysalis("context", "tree", terminal=True).out.splitlines()
    assert len(lines) == 31
    assert "30 deep" in lines[30]
    assert parent.crystal_id.removeprefix("crystal-")[:16] in lines[30]
    assert all(len(line) <= 100 for line in lines)


def test_a_tree_of_one_agent_s_crystals_needs_no_others(chrysalis, saved):
    chrysalis("context", "branch", saved, "try cone 10", "--agent", "bo")
    shown = chrysalis("context", "tree", "--agent", "bo", terminal=True).out
    assert "try cone 10" in shown
    assert saved.removeprefix("crystal-")[:16] not in shown


def test_saving_can_go_on_from_a_crystal(chrysalis, saved):
    done = chrysalis("context", "save", "-", "--parent", saved[:16], "--reason", "again", "--json", stdin=TALK)
    assert (done.json["value"]["parent_crystal"], done.json["value"]["branch_reason"]) == (saved, "again")


def test_cherish_keeps_and_compost_forgets(chrysalis, saved):
    assert chrysalis("context", "cherish", saved).rows == [[saved]]
    assert "cherished" in chrysalis("context", "list", terminal=True).out
    assert chrysalis("context", "show", saved, "--json").json["value"]["pinned"] is True
    assert chrysalis("context", "compost", saved, stdin="y\n").code == 2
    assert chrysalis("context", "list").rows != []
    assert chrysalis("context", "compost", saved, "--yes", "--reason", "done").rows == [[saved]]
    assert chrysalis("context", "list").rows == []
    with ChrysalisMemory(chrysalis.store, embedder="none") as memory:
        assert memory.get(saved) is None
    assert "clay is fine" not in "".join(file.read_text() for file in chrysalis.ghost.rglob("*.json"))
    assert chrysalis("context", "resume", saved).code == 1


def test_without_crystals_the_way_to_make_one_is_told(harbour):
    assert "chrysalis context save" in harbour("context", "list", terminal=True).out
    assert "chrysalis context save" in harbour("context", "tree", terminal=True).out


def test_ids_that_are_unclear_or_unknown_are_refused(chrysalis, saved):
    chrysalis("context", "branch", saved, "again")
    unclear = chrysalis("context", "show", "crystal-", "--json")
    assert (unclear.code, unclear.error["code"]) == (2, "misuse")
    assert "give more characters" in unclear.error["message"]
    unknown = chrysalis("context", "show", "nope", "--json")
    assert (unknown.code, unknown.error["code"]) == (1, "not_found")
    assert chrysalis("context", "show", saved[8:10]).code == 1


def test_when_the_store_is_gone_the_last_known_context_is_shown_as_a_ghost(chrysalis, saved):
    assert chrysalis("context", "list").code == 0
    gone(chrysalis)
    resumed = chrysalis("context", "resume", saved[:16])
    assert resumed.code == 0
    assert resumed.out.startswith("[GHOST] ")
    assert "there is no store in" in resumed.out.splitlines()[0]
    assert resumed.out.endswith(TALK)
    listed = chrysalis("context", "list")
    assert [row[0] for row in listed.rows] == [saved]
    assert listed.err.startswith("[GHOST] ")
    assert "[GHOST]" in chrysalis("context", "tree", terminal=True).out
    assert "[GHOST]" in chrysalis("context", "show", saved, terminal=True).out
    assert chrysalis("context", "list", "--json").json["is_ghost"] is True
    refused = chrysalis("context", "cherish", saved, "--json")
    assert (refused.code, refused.error["code"]) == (3, "no_store")
    assert "nothing was changed" in refused.error["message"]
    assert not chrysalis.store.exists()


def test_a_map_that_another_program_wrote_crashes_nothing(chrysalis, saved):
    ghost = GhostCache(chrysalis.ghost)
    sound = chrysalis("context", "list", "--json").json["crystals"][0]
    gone(chrysalis)
    for junk in (7, {}, {"crystals": 7}):
        ghost.write("map", junk)
        refused = chrysalis("context", "list", "--json")
        assert (refused.code, refused.error["code"]) == (4, "malformed")
    rows = [7, {}, sound, {**sound, "tokens": "x"}, {**sound, "timestamp": "never"}, {**sound, "level": 90}]
    ghost.write("map", {"crystals": rows})
    assert [row[0] for row in chrysalis("context", "list").rows] == [saved, saved]
    assert chrysalis("context", "tree", terminal=True).code == 0


def test_a_store_that_never_was_is_a_clear_miss(chrysalis):
    missed = chrysalis("context", "list", "--json")
    assert (missed.code, missed.error["code"]) == (3, "no_store")
    assert "nothing is kept of the map" in missed.error["message"]
    assert not chrysalis.store.exists()


def test_words_of_others_do_not_steer_the_terminal(chrysalis):
    hostile = "\x1b[2J[bold]x[/bold]"
    done = chrysalis("context", "save", "-", "--task", hostile, "--agent", "a", stdin=f"user: {hostile}")
    identity = done.out.strip()
    chrysalis("context", "branch", identity, f"why {hostile}")
    for command in (["list"], ["tree"], ["show", identity], ["resume", identity]):
        out = chrysalis("context", *command, terminal=True).out
        assert "\x1b[2J" not in out
        assert "[bold]" in out
