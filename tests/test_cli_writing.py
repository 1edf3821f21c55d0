"""remember, update and forget from the command line."""

import re


def test_what_was_remembered_is_printed_by_its_id_and_found_again(chrysalis):
    kept = chrysalis("remember", "The sill lies at 1.90 metres", "--tag", "depth", "--type", "knowledge")
    assert (kept.code, kept.err) == (0, "")
    shown = chrysalis("show", kept.out.strip(), "--json").json
    assert (shown["content"], shown["tags"], shown["memory_type"]) == (
        "The sill lies at 1.90 metres",
        ["depth"],
        "knowledge",
    )


def test_every_option_reaches_the_memory(chrysalis):
    chrysalis("remember", "first", "--id", "one")
    options = "--id two --scope a/b --thread t --speaker Ines --at 2026-03-01T12:00Z --parent one --related one"
    numbers = "--evidence one --importance 0.9 --confidence 0.8 --meta batch=4 --meta note=long --tag a --tag b"
    kept = chrysalis("remember", "second", *options.split(), *numbers.split(), "--agent", "scribe", "--json").json
    expected = {
        "id": "two",
        "content": "second",
        "scope": "a/b",
        "thread": "t",
        "speaker": "Ines",
        "parents": ["one"],
        "related": ["one"],
        "evidence": ["one"],
        "tags": ["a", "b"],
        "metadata": {"batch": 4, "note": "long"},
        "agent_id": "scribe",
        "tier": "long_term",
    }
    assert {key: kept[key] for key in expected} == expected
    assert kept["occurred_at"].startswith("2026-03-01T12:00:00")
    assert abs(kept["importance"] - 0.9) < 0.001
    assert abs(kept["confidence"] - 0.8) < 0.001


def test_working_memories_and_those_with_a_ttl_expire(chrysalis):
    assert chrysalis("remember", "scratch", "--working", "--json").json["tier"] == "working"
    assert chrysalis("remember", "code 4711", "--ttl", "30m", "--json").json["expires_at"]


def test_a_pipe_is_remembered_as_it_is(chrysalis):
    text = "first line\n\n  second line with ü and [brackets]"
    for arguments in (("remember", "-"), ("remember",)):
        identity = chrysalis(*arguments, stdin=text + "\n").out.strip()
        assert chrysalis("show", identity, "--json").json["content"] == text


def test_lines_of_a_pipe_become_memories_of_their_own(chrysalis):
    kept = chrysalis("remember", "--lines", "--tag", "commit", stdin="one\n\ntwo\r\nthree\n")
    assert len(kept.rows) == 3
    assert {row[3] for row in chrysalis("list", "--tag", "commit").rows} == {"one", "two", "three"}


def test_nothing_and_noise_are_not_remembered(chrysalis):
    for stdin in ("", " \n", b"\xff\xfe\x00"):
        refused = chrysalis("remember", "-", stdin=stdin)
        assert refused.code == 2
        assert refused.err.startswith("error: ")


def test_too_long_a_text_is_refused_with_advice(chrysalis):
    refused = chrysalis("remember", "-", "--json", stdin="word " * 300_000)
    assert (refused.code, refused.error["code"]) == (4, "too_large")
    assert chrysalis("list").code == 1


def test_an_update_changes_what_it_names_and_keeps_the_rest(harbour):
    changed = harbour("update", "first-date", "Live on 18 May", "--tag", "new", "--untag", "date", "--json").json
    assert (changed["content"], changed["tags"]) == ("Live on 18 May", ["new", "release"])
    assert changed["speaker"] == "Ines"
    assert changed["version"] > 1


def test_an_update_of_nothing_is_misuse(harbour):
    assert harbour("update", "first-date").code == 2
    assert harbour("update", "no-such-memory", "x").code == 1


def test_ids_may_be_cut_to_what_is_unique(harbour):
    assert harbour("update", "first-d", "--importance", "0.1").out == "first-date\n"
    ambiguous = harbour("show", "gauge")
    assert ambiguous.code == 2
    assert re.search(r"'gauge' begins several ids \(gauge-[\w-]+, gauge-[\w-]+, gauge-[\w-]+, ...\)", ambiguous.err)
    assert harbour("show", "fir").code == 1


def test_the_whole_id_wins_over_longer_ones(harbour):
    assert harbour("show", "secret", "--json").json["id"] == "secret"


def test_forgetting_needs_a_yes_and_then_leaves_nothing(harbour):
    asked = harbour("forget", "secret")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    assert harbour("show", "secret").code == 0
    receipt = harbour("forget", "secret", "--yes", "--reason", "a password", "--withdraw", "--json").json[0]
    assert (receipt["id"], receipt["forgotten"]) == ("secret", True)
    assert harbour("show", "secret").code == 1
    files = [path for path in harbour.store.rglob("*") if path.is_file()]
    assert not [path.name for path in files if b"heron-lantern-4471" in path.read_bytes()]


def test_forgetting_twice_never_reaches_another_memory(harbour):
    assert harbour("forget", "secret", "--yes").code == 0
    assert harbour("forget", "secret", "--yes", "--json").error["code"] == "not_found"
    assert harbour("show", "secret-regret").code == 0
    assert harbour("history", "secret").code == 0


def test_withdrawn_words_are_refused_under_any_id(harbour):
    harbour("forget", "secret", "--yes", "--withdraw")
    again = harbour("remember", "The admin password of the harbour server is heron-lantern-4471.", "--json")
    assert (again.code, again.error["code"]) == (4, "not_allowed")


def test_several_are_forgotten_at_once(harbour):
    assert [row[0] for row in harbour("forget", "thanks", "poster", "-y").rows] == ["thanks", "poster"]


def test_a_terminal_gets_sentences(chrysalis):
    assert chrysalis("remember", "x", "--id", "[red]x", terminal=True).out == "remembered [red]x\n"
    assert chrysalis("update", "[red]x", "y", terminal=True).out.startswith("updated [red]x, version ")
    assert chrysalis("forget", "[red]x", "--yes", terminal=True).out.startswith("forgotten [red]x: ")
