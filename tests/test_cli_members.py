"""found, invite, join, members, remove, attest and validate from the command line."""

import json

import pytest

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.network import SyncConfig
from cli_cases import at_terminal, needs_terminal
from memory_cases import eventually
from network_cases import certificates, needs_openssl


@pytest.fixture
def team(chrysalis, tmp_path):
    """A closed space, and the folder of its founder."""
    store = str(tmp_path / "team")
    assert chrysalis("found", "harbour", "--store", store).code == 0
    return store


def token_of(chrysalis, store, *more):
    invited = chrysalis("invite", "--store", store, *more)
    assert (invited.code, invited.err) == (0, "")
    return invited.out


def test_an_invitation_is_one_token_and_nothing_else(chrysalis, team):
    told = token_of(chrysalis, team)
    assert told.startswith("chrysalis1")
    assert told.count("\n") == 1
    assert told.endswith("\n")
    assert chrysalis("invite", "--store", team, "--json", "--role", "reader").json["role"] == "reader"


def test_who_joins_brings_memories_along_and_needs_no_token_again(chrysalis, team, tmp_path):
    mine = str(tmp_path / "mine")
    chrysalis("remember", "I was alone", "--id", "alone", "--store", mine)
    joined = chrysalis("join", "-", "--store", mine, stdin=token_of(chrysalis, team), terminal=True)
    assert joined.code == 0
    assert "joined harbour as its writer" in joined.out
    assert "1 memory came along" in joined.out
    assert chrysalis("show", "alone", "--store", mine, "--json").json["content"] == "I was alone"
    assert chrysalis("remember", "now among others", "--store", mine).code == 0


def test_joining_calls_the_addresses_of_the_token(chrysalis, team, tmp_path):
    with listening(team) as founder:
        founder.remember("said before you came", id="before")
        address = founder.status().address
        token = founder.invite(urls=[address, "ws://127.0.0.1:9"])
        mine = str(tmp_path / "mine")
        told = chrysalis("join", token, "--store", mine, "--json").json
    assert told["calls"][address].startswith("exchanged")
    assert told["calls"]["ws://127.0.0.1:9"].startswith("not reached")
    assert chrysalis("show", "before", "--store", mine, "--json").json["content"] == "said before you came"


def listening(folder, **more):
    return ChrysalisMemory(folder, agent_id="founder", embedder="none", listen="127.0.0.1:0", **more)


@needs_openssl
def test_joining_believes_the_authorities_that_it_is_told(chrysalis, team, tmp_path):
    authority, certificate, key = certificates(tmp_path)
    serving = SyncConfig(tls_certificate=certificate, tls_key=key)
    with listening(team, sync_config=serving) as founder:
        address = founder.status().address
        token = founder.invite(urls=[address])
        outcome = chrysalis("join", token, "--store", str(tmp_path / "one"), "--json").json["calls"][address]
        assert "certificate is not believed" in outcome
        told = chrysalis("join", token, "--store", str(tmp_path / "two"), "--ca", authority, "--json").json
    assert address.startswith("wss://")
    assert told["calls"][address].startswith("exchanged")


def test_a_token_that_was_taken_back_is_said_to_be_void_and_the_store_joins_again_by_another(chrysalis, team, tmp_path):
    mine = str(tmp_path / "mine")
    chrysalis("remember", "I was alone", "--id", "alone", "--store", mine)
    with listening(team) as founder:
        address = founder.status().address
        void, good = founder.invite(urls=[address]), founder.invite(urls=[address])
        founder.revoke(void)
        refused = chrysalis("join", void, "--store", mine, "--json")
        assert (refused.code, refused.out, refused.error["code"]) == (4, "", "not_allowed")
        assert "taken back" in refused.error["message"]
        assert "new token" in refused.error["hint"]
        # Offline nobody can know it.
        assert chrysalis("join", void, "--store", mine, "--offline").code == 0
        assert chrysalis("remember", "and still was", "--id", "still", "--store", mine).code == 0
        joined = chrysalis("join", good, "--store", mine, "--json")
        assert (joined.code, joined.json["exchanged"]) == (0, True)
        assert eventually(lambda: None not in founder.get_many(["alone", "still"]), 60)
    assert chrysalis("show", "still", "--store", mine, "--json").json["content"] == "and still was"


def test_an_address_of_another_space_is_said_and_one_that_is_away_is_no_failure(chrysalis, team, tmp_path):
    with listening(str(tmp_path / "other")) as other:
        elsewhere = other.status().address
        token = token_of(chrysalis, team, "--url", elsewhere).strip()
        refused = chrysalis("join", token, "--store", str(tmp_path / "astray"), "--json")
        assert (refused.code, refused.error["code"]) == (4, "wrong_space")
    away = token_of(chrysalis, team, "--url", "ws://127.0.0.1:9").strip()
    told = chrysalis("join", away, "--store", str(tmp_path / "mine"), terminal=True)
    assert told.code == 0
    assert "not reached" in told.out
    assert "goes out when one of them is reached" in told.out


def test_a_token_that_has_expired_makes_no_member(chrysalis, team, tmp_path):
    token = token_of(chrysalis, team, "--expires", "0.001s").strip()
    refused = chrysalis("join", token, "--store", str(tmp_path / "mine"), "--json")
    assert (refused.code, refused.error["code"]) == (4, "invitation_expired")
    assert "administrator" in refused.error["hint"]


def test_members_are_listed_and_removed_by_the_beginning_of_their_key(chrysalis, team, tmp_path):
    mine = str(tmp_path / "mine")
    key = chrysalis("join", token_of(chrysalis, team).strip(), "--store", mine, "--json").json["key"]
    chrysalis("export", str(tmp_path / "mine.bundle"), "--store", mine)
    chrysalis("import", str(tmp_path / "mine.bundle"), "--store", team)
    assert [row[1:3] for row in chrysalis("members", "--store", team).rows] == [
        ["administrator", "member"],
        ["writer", "member"],
        ["writer", "invitation"],
    ]
    assert "you" in chrysalis("members", "--store", team, terminal=True).out
    assert "add --yes" in chrysalis("remove", key[:12], "--store", team, stdin="y\n").err
    assert chrysalis("remove", key[:12], "--store", team, "--yes", "--json").json["was_member"] is True
    listed = chrysalis("members", "--store", team, "--json").json["members"]
    assert {one["key"]: one["removed"] for one in listed}[key] is True
    assert chrysalis("remove", key[:12], "--store", team, "--yes").rows == [[key, "unchanged"]]


@needs_terminal
def test_at_a_terminal_a_removal_is_asked_about_first(chrysalis, team, tmp_path):
    mine = str(tmp_path / "mine")
    [[key, *_]] = chrysalis("join", "-", "--store", mine, stdin=token_of(chrysalis, team)).rows
    chrysalis("export", str(tmp_path / "mine.bundle"), "--store", mine)
    chrysalis("import", str(tmp_path / "mine.bundle"), "--store", team)
    for answer, code, removed in (("n", 130, False), ("y", 0, True)):
        assert at_terminal("remove", key[:12], "--store", team, answers=[("for good?", answer)])[0] == code
        listed = chrysalis("members", "--store", team, "--json").json["members"]
        assert {one["key"]: one["removed"] for one in listed}[key] is removed


def test_an_open_invitation_is_listed_and_taken_back_by_the_beginning_of_its_id(chrysalis, team):
    token = token_of(chrysalis, team, "--role", "reader", "--expires", "never")
    (invited,) = chrysalis("members", "--store", team, "--json").json["invitations"]
    assert (invited["role"], invited["expires_at"], invited["joined"]) == ("reader", None, 0)
    assert chrysalis("members", "--store", team).rows[1] == [invited["id"], "reader", "invitation", "never"]
    assert "open invitations" in chrysalis("members", "--store", team, terminal=True).out
    assert chrysalis("revoke", invited["id"][:12], "--store", team, "--json").json == {
        "id": invited["id"],
        "revoked": True,
        "was_open": True,
    }
    assert chrysalis("revoke", "-", "--store", team, "--json", stdin=token).json["was_open"] is False
    assert chrysalis("members", "--store", team, "--json").json["invitations"] == []
    assert chrysalis("revoke", invited["id"], "--store", team).rows == [[invited["id"], "unchanged"]]
    again = token_of(chrysalis, team)
    (invited,) = chrysalis("members", "--store", team, "--json").json["invitations"]
    assert chrysalis("revoke", "-", "--store", team, stdin=again).rows == [[invited["id"], "revoked"]]
    # A token is a secret, and no pipe gets to see it.
    assert chrysalis("revoke", "-", "--store", team, stdin=again).rows == [["token", "unchanged"]]
    assert chrysalis("revoke", "ab" * 32, "--store", team).code != 0


def test_a_key_that_nobody_has_is_said_to_be_nobody_s(chrysalis, team):
    told = chrysalis("remove", "ab" * 32, "--store", team, "--yes", "--json")
    assert told.code != 0
    assert json.loads(told.err)["error"]["code"] == "not_found"


def test_votes_are_cast_and_counted(chrysalis, team):
    chrysalis("remember", "The lock of gate 3 sticks", "--id", "gate-3", "--store", team)
    assert chrysalis("validate", "gate-3", "--store", team).code == 1
    assert chrysalis("attest", "gate-3", "0.9", "--store", team).code == 0
    told = chrysalis("validate", "gate-3", "--store", team, "--json")
    assert (told.code, told.json["accepted"], told.json["median"]) == (0, True, 0.9)
    assert "1 of 1, 1 needed" in chrysalis("validate", "gate-3", "--store", team, terminal=True).out


def test_a_token_that_was_cut_says_so(chrysalis, team, tmp_path):
    told = chrysalis("join", token_of(chrysalis, team).strip()[:-5], "--store", str(tmp_path / "mine"), "--json")
    assert told.code != 0
    assert json.loads(told.err)["error"]["hint"]
