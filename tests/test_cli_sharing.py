"""`chrysalis sync` and `chrysalis peers`, with real stores at the other end."""

from chrysalis_memory import ChrysalisMemory
from network_cases import knows, store

HERE = "127.0.0.1:0"


def test_sync_exchanges_with_an_address_until_both_hold_the_same(chrysalis, tmp_path):
    chrysalis("remember", "the kiln is hot")
    with store(tmp_path / "other", listen=HERE) as other:
        other.remember("the glaze is dry")
        url = other.status().address
        told = chrysalis("sync", url, "--json")
        [report] = told.json["synced"]
        assert (told.code, report["where"], report["received"], report["acknowledged"]) == (0, url, 2, True)
        assert report["key"] == other.public_key
        assert knows(other, "kiln")
        assert chrysalis("sync", url).rows == [[url, "equal", "0"]]


def test_sync_merges_the_folder_of_another_store(chrysalis, tmp_path):
    chrysalis("remember", "the kiln is hot")
    with store(tmp_path / "other") as other:
        other.remember("the glaze is dry")
    assert chrysalis("sync", str(tmp_path / "other")).rows == [[str(tmp_path / "other"), "equal", "2"]]
    with store(tmp_path / "other") as other:
        assert knows(other, "kiln", "glaze")


def test_sync_without_a_name_goes_to_all_kept_addresses_and_says_who_failed(chrysalis, tmp_path):
    chrysalis("remember", "the kiln is hot")
    with store(tmp_path / "other", listen=HERE) as other:
        url, nobody = other.status().address, "ws://127.0.0.1:1"
        assert chrysalis("peers", "--add", url, "--add", nobody).rows == sorted([[url], [nobody]])
        told = chrysalis("sync")
        assert told.code == 1
        assert sorted(told.rows) == sorted([[url, "equal", "1"], [nobody, "failed", "unreachable"]])
        assert knows(other, "kiln")


def test_sync_with_nobody_is_misuse(chrysalis):
    chrysalis("remember", "alone")
    assert chrysalis("sync").code == 2
    assert chrysalis("sync", "ws://192.0.2.1:4444").code == 2
    assert chrysalis("sync", "nowhere", "--json").json["synced"][0]["error"]["code"] == "not_found"


def test_addresses_are_kept_and_dropped(chrysalis):
    chrysalis("remember", "alone")
    assert chrysalis("peers", "--json").json == {"peers": []}
    assert chrysalis("peers", "--add", "wss://hub.example:4444", "--json").json == {"peers": ["wss://hub.example:4444"]}
    with ChrysalisMemory(chrysalis.store, embedder="none") as memory:
        assert memory.peers() == ["wss://hub.example:4444"]
    assert chrysalis("peers", "--forget", "wss://hub.example:4444").rows == []


def test_people_are_told_in_words(chrysalis, tmp_path):
    chrysalis("remember", "the kiln is hot")
    with store(tmp_path / "other") as other:
        other.remember("the glaze is dry")
    assert "equal with" in chrysalis("sync", str(tmp_path / "other"), terminal=True).out
    assert "no addresses are kept" in chrysalis("peers", terminal=True).out
