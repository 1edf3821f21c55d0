"""doctor from the command line."""


def test_the_doctor_finds_nothing_wrong_in_a_whole_store(harbour):
    examined = harbour("doctor", "--json")
    assert examined.code == 0
    assert not [finding for finding in examined.json if finding["level"] == "error"]


def test_the_doctor_finds_and_repairs_a_lost_text_index(harbour):
    for path in harbour.store.glob("text.db*"):
        path.write_bytes(b"no database at all" * 100)
    assert harbour("doctor").code == 1
    assert harbour("doctor", "--repair").code in (0, 1)
    assert harbour("doctor").code == 0
    assert harbour("recall", "dredging").code == 0
