"""doctor from the command line."""


def test_the_doctor_finds_nothing_wrong_in_a_whole_store(harbour):
    examined = harbour("doctor", "--json")
    assert examined.code == 0
    assert not [finding for finding in examined.json if finding["level"] == "error"]


def test_the_doctor_finds_and_repairs_a_damaged_text_index(harbour):
    assert harbour("recall", "dredging").code == 0
    (harbour.store / "text.db").write_bytes(b"no database at all" * 100)
    found = harbour("doctor", "--json").json
    assert [(one["level"], one["where"]) for one in found if one["level"] != "ok"] == [("warning", "text.db")]
    assert harbour("doctor", "--repair").code == 0
    assert {one["level"] for one in harbour("doctor", "--json").json} == {"ok"}
    assert harbour("recall", "dredging").code == 0


def test_the_doctor_saves_what_a_damaged_database_still_proves(harbour):
    database = harbour.store / "chrysalis.db"
    data = bytearray(database.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = bytes(6000)
    database.write_bytes(data)
    found = harbour("doctor")
    assert found.code == 1
    assert "chrysalis.db" in found.out
    harbour("doctor", "--repair")
    assert harbour("doctor").code == 0
    assert harbour("verify").code == 0
    assert (harbour.store / "chrysalis.db.damaged-1").exists()
