"""verify, stats, doctor and rebuild from the command line."""


def test_stats_count_what_is_there(harbour):
    found = harbour("stats", "--json").json
    assert found["memories"] == 59
    assert found["file_bytes"]["chrysalis.db"] > 0
    assert "memories   59" in harbour("stats", terminal=True).out
    assert ["memories", "59"] in harbour("stats").rows


def test_rebuilding_changes_no_answer(harbour):
    before = harbour("recall", "gauge battery", "--json").json
    listed = harbour("list", "--limit", "100").out
    assert harbour("rebuild").code == 0
    after = harbour("recall", "gauge battery", "--json").json
    ids = [[hit["memory"]["id"] for hit in found["hits"]] for found in (before, after)]
    assert ids[0] == ids[1]
    assert harbour("list", "--limit", "100").out == listed
