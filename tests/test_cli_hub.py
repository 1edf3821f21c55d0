"""`chrysalis hub` and `chrysalis audit`: settings, tokens, the audit log, and what is refused beforehand."""

import re

import pytest

from chrysalis_memory.hub.audit import AuditLog
from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.hub.sources import gather


@pytest.fixture
def kept(chrysalis):
    """The command line on a store that is there."""
    assert chrysalis("remember", "x").code == 0
    return chrysalis


def test_the_settings_are_printed_as_a_file_that_gives_them_again(chrysalis, tmp_path, monkeypatch):
    monkeypatch.setenv("CHRYSALIS_HUB_LINKS_MAX", "7")
    done = chrysalis("hub", "--print-config", "--space", "team", "--set", "requests_per_s=20")
    assert done.code == 0
    assert "links_max = 7  # environment" in done.out
    assert 'space = "team"  # flag' in done.out
    (tmp_path / "hub.toml").write_text(done.out)
    settings, _ = gather({}, {}, tmp_path / "hub.toml")
    assert settings == HubSettings(space="team", requests_per_s=20, links_max=7)
    again = chrysalis("hub", "--print-config", "--config", str(tmp_path / "hub.toml"))
    assert 'space = "team"  # file' in again.out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--host", "0.0.0.0"], "serve_without_tls_beyond_loopback"),
        (
            ["--host", "0.0.0.0", "--open-space", "--serve-without-tls-beyond-loopback"],
            "serve_open_space_beyond_loopback",
        ),
        (["--set", "colour=red"], "colour"),
        (["--set", "colour"], "NAME=VALUE"),
        (["--tls-cert", "only.pem"], "tls_key"),
        (["--set", "links_max=many"], "links_max"),
    ],
)
def test_what_must_not_be_served_is_refused_before_a_store_is_made(chrysalis, arguments, named):
    done = chrysalis("hub", *arguments)
    assert done.code == 2
    assert named in done.err
    assert not chrysalis.store.exists()


def test_a_token_is_printed_once_and_alone_so_that_scripts_can_take_it(kept):
    made = kept("hub", "token", "--right", "write", "--name", "ada", "--expires", "30d")
    assert re.fullmatch(r"chub_[0-9a-f]{16}_[\w-]{43}\n", made.out)
    [[token_id, name, right, ends]] = kept("hub", "tokens").rows
    assert made.out.startswith(f"chub_{token_id}_")
    assert (name, right) == ("ada", "write")
    assert ends > "2026"
    told = kept("hub", "tokens", "--json").json
    assert [token["id"] for token in told] == [token_id]
    assert "hash" not in told[0]
    assert token_id in kept("hub", "tokens", terminal=True).out


def test_a_token_is_taken_back_by_its_id(kept):
    made = kept("hub", "token", "--json").json
    assert (made["token"][:5], made["right"]) == ("chub_", "read")
    assert kept("hub", "take-back", made["id"]).rows == [[made["id"]]]
    assert kept("hub", "tokens").out == ""
    assert kept("hub", "take-back", made["id"]).code == 1


def test_a_token_needs_a_store_and_a_right_that_there_is(chrysalis):
    assert chrysalis("hub", "token", "--right", "read").code == 3
    assert chrysalis("hub", "token", "--right", "everything").code == 2


def test_the_audit_log_is_shown_for_people_pipes_and_programs(kept):
    log = AuditLog(kept.store, bytes_max=1 << 20, files_max=2, clock=lambda: 0)
    log.write("joined", key="ab")
    log.write("conflict", id="a\x1b[31mb", fields=["content", "tags"])
    assert kept("audit", "--json").json[1]["fields"] == ["content", "tags"]
    assert kept("audit", "--what", "joined").rows == [["1970-01-01T00:00:00.000Z", "joined", "key=ab"]]
    assert kept("audit", "-n", "1").rows[0][1] == "conflict"
    shown = kept("audit", terminal=True).out
    assert "content,tags" in shown
    assert "\x1b[31mb" not in shown
