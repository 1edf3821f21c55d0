"""recall, show, list, history and graph from the command line."""

import json


def test_recall_finds_and_ranks(harbour):
    rows = harbour("recall", "how", "much", "water", "does", "the", "ferry", "need").rows
    assert rows[0][0] == "1"
    assert "depth-rule" in [row[2] for row in rows[:3]]
    assert [float(row[1]) for row in rows] == sorted((float(row[1]) for row in rows), reverse=True)


def test_recall_of_what_nobody_said_is_exit_code_1(harbour):
    nothing = harbour("recall", "xylophone")
    assert (nothing.code, nothing.out) == (1, "")
    assert harbour("recall", "xylophone", "--json").json["hits"] == []


def test_recall_filters(harbour):
    def ids(*arguments):
        return [hit["memory"]["id"] for hit in harbour("recall", "gauge", "--json", *arguments).json["hits"]]

    assert len(ids("-k", "2")) == 2
    assert set(ids("--tag", "battery")) == {"east-pier-frost", "east-pier-heater"}
    assert set(ids("--type", "procedural", "-k", "50")) == {"gauge-fix-zero"}
    assert ids("--tier", "working") == []


def test_recall_says_why_and_whether_it_is_complete(harbour):
    found = harbour("recall", "dredging", "--json").json
    assert found["hits"][0]["why"]
    assert isinstance(found["outcome"]["complete"], bool)
    shown = harbour("recall", "dredging", terminal=True).out
    assert "dredging" in shown
    assert found["hits"][0]["why"].split()[0] in shown


def test_lines_of_json_are_one_for_each_hit(harbour):
    lines = harbour("recall", "gauge", "--jsonl", "-k", "3").out.splitlines()
    assert len([json.loads(line)["memory"]["id"] for line in lines]) == 3


def test_show_tells_everything(harbour):
    shown = harbour("show", "first-date", terminal=True).out
    for words in ("Tidewatch goes live", "kickoff", "Ines", "release", "fingerprint", "signature"):
        assert words in shown
    memory = harbour("show", "first-date", "--json").json
    assert (len(memory["fingerprint"]), len(memory["signature"])) == (96, 128)


def test_list_is_newest_first_and_pages(harbour):
    everything = [row[0] for row in harbour("list", "--limit", "100").rows]
    assert len(everything) == 59
    assert [row[0] for row in harbour("list", "--limit", "2", "--offset", "3").rows] == everything[3:5]
    assert [row[0] for row in harbour("list", "--ascending", "--limit", "1").rows] == everything[-1:]
    ranked = harbour("list", "--order", "importance", "--limit", "5", "--json").json
    assert [item["importance"] for item in ranked] == sorted((item["importance"] for item in ranked), reverse=True)


def test_list_filters(harbour):
    decisions = harbour("list", "--type", "decision", "--tag", "design", "--json").json
    assert {item["id"] for item in decisions} == {"units", "no-script", "languages", "shape-warning"}
    assert {item["thread"] for item in harbour("list", "--thread", "alerts", "--json").json} == {"alerts"}


def test_an_empty_list_is_exit_code_1(harbour):
    assert harbour("list", "--tag", "nothing").code == 1


def test_a_wrong_order_is_misuse(harbour):
    assert harbour("list", "--order", "mood").code == 2


def test_history_shows_every_change_with_its_author(harbour):
    harbour("update", "first-date", "Live on 18 May", "--agent", "builder")
    rows = harbour("history", "first-date").rows
    assert [row[2] for row in rows] == ["cli", "builder"]
    assert "18 May" in rows[1][5]
    assert "4 May" in harbour("history", "first-date", terminal=True).out
    revisions = harbour("history", "first-date", "--json").json
    assert all(len(revision["fingerprint"]) == 96 for revision in revisions)


def test_graph_draws_links_both_ways(harbour):
    drawn = harbour("graph", "correction-rule", terminal=True).out
    order = ["correction-rule", "follows from", "surge", "tide-source", "leads to", "accuracy"]
    assert [drawn.index(word) for word in order] == sorted(drawn.index(word) for word in order)
    found = harbour("graph", "correction-rule", "--json", "--depth", "1").json
    assert {(edge["from"], edge["to"]) for edge in found["edges"] if edge["kind"] == "parents"} == {
        ("correction-rule", "tide-source"),
        ("correction-rule", "surge"),
        ("accuracy", "correction-rule"),
    }


def test_graph_survives_circles_and_links_into_nowhere(chrysalis):
    chrysalis("remember", "a", "--id", "node-a", "--parent", "node-b", "--related", "never-was")
    chrysalis("remember", "b", "--id", "node-b", "--parent", "node-a")
    drawn = chrysalis("graph", "node-a", "--depth", "9", terminal=True)
    assert drawn.code == 0
    assert "never-was  not here" in drawn.out


def test_words_cannot_steer_the_terminal(chrysalis):
    chrysalis(
        "remember", "-", "--id", "evil", "--tag", "[bold]x", stdin="\x1b[2J\x1b]0;owned\x07 [red]text[/] \u202egnp"
    )
    for arguments in (("show", "evil"), ("list",), ("recall", "text"), ("history", "evil"), ("graph", "evil")):
        shown = chrysalis(*arguments, terminal=True)
        assert shown.code == 0
        assert not set(shown.out) & set("\x1b\x07\u202e")
        assert "[red]text[/]" in shown.out


def test_reading_never_makes_a_store(chrysalis):
    for arguments in (("list",), ("recall", "x"), ("show", "xxxx"), ("stats",), ("verify",), ("doctor",)):
        refused = chrysalis(*arguments, "--json")
        assert (refused.code, refused.error["code"]) == (3, "no_store")
    assert not chrysalis.store.exists()
