"""verify, stats, doctor and rebuild from the command line."""


def test_a_whole_store_verifies(harbour):
    assert harbour("verify").rows[0][0] == "ok"
    result = harbour("verify", "--json").json
    assert (result["ok"], result["problems"]) == (True, [])
    assert result["memories"] == 59
    assert harbour("verify", "first-date").code == 0
    assert "all holds" in harbour("verify", terminal=True).out


def test_stats_count_what_is_there(harbour):
    found = harbour("stats", "--json").json
    assert found["memories"] == 59
    assert found["file_bytes"]["chrysalis.db"] > 0
    assert "memories   59" in harbour("stats", terminal=True).out
    rows = harbour("stats").rows
    assert ["memories", "59"] in rows
    assert ["type skill", "1"] in rows
    assert ["file key", "32"] in rows


def test_rebuilding_changes_no_answer(harbour):
    before = harbour("recall", "gauge battery", "--json").json
    listed = harbour("list", "--limit", "100").out
    assert harbour("rebuild").code == 0
    after = harbour("recall", "gauge battery", "--json").json
    ids = [[hit["memory"]["id"] for hit in found["hits"]] for found in (before, after)]
    assert ids[0] == ids[1]
    assert harbour("list", "--limit", "100").out == listed
