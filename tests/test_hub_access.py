"""Access tokens: kept hashed, for their owner's eyes, and gone when they end or are taken back."""

import json
import os
import stat

import pytest

from chrysalis_memory import NotFound
from chrysalis_memory.hub.access import FOLDER, TOKENS_MAX, AccessTokens


def test_a_token_is_found_by_its_text_and_by_no_other(tmp_path):
    tokens = AccessTokens(tmp_path)
    secret, token = tokens.make("dashboard", "read", now_ms=1000)
    other, _ = tokens.make("agent", "write", now_ms=1001)
    assert tokens.find(secret, now_ms=2000) == token
    assert (token.name, token.right, token.expires_at) == ("dashboard", "read", None)
    mixed = other[:21] + secret[21:]
    for wrong in ("", "x", secret[:-1], secret + "A", secret[:-1] + ("A" if secret[-1] != "A" else "B"), mixed):
        assert tokens.find(wrong, now_ms=2000) is None


def test_the_files_hold_no_token_and_are_for_their_owner_only(tmp_path):
    tokens = AccessTokens(tmp_path)
    secret, token = tokens.make("dashboard", "admin", now_ms=0)
    [path] = (tmp_path / FOLDER).iterdir()
    assert secret.rsplit("_", 1)[1] not in path.read_text("utf-8")
    assert token.id == path.stem
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_token_ends_at_its_time(tmp_path):
    tokens = AccessTokens(tmp_path)
    secret, token = tokens.make("visitor", "read", now_ms=1_000, lifetime_ms=500)
    assert tokens.find(secret, now_ms=1_499) == token
    assert tokens.find(secret, now_ms=1_500) is None
    assert tokens.list() == [token]


def test_a_token_that_was_taken_back_by_another_process_is_none_at_once(tmp_path):
    ours, theirs = AccessTokens(tmp_path), AccessTokens(tmp_path)
    secret, token = theirs.make("agent", "write", now_ms=0)
    assert ours.find(secret, now_ms=1) == token
    theirs.take_back(token.id)
    assert ours.find(secret, now_ms=1) is None
    assert ours.list() == []


@pytest.mark.parametrize("wrong", ["0" * 16, "../key", "", "*", "0" * 15])
def test_taking_back_what_is_not_there_touches_nothing(tmp_path, wrong):
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(NotFound):
        AccessTokens(tmp_path).take_back(wrong)
    assert (tmp_path / "key.json").exists()


@pytest.mark.parametrize(
    ("name", "right"),
    [("", "read"), (" ", "read"), ("a" * 65, "read"), ("a\nb", "read"), ("ada", "none"), ("ada", "x")],
)
def test_names_and_rights_that_are_none_are_refused(tmp_path, name, right):
    with pytest.raises(ValueError, match=r"name|right"):
        AccessTokens(tmp_path).make(name, right, now_ms=0)


def test_damaged_files_are_no_tokens(tmp_path):
    tokens = AccessTokens(tmp_path)
    secret, token = tokens.make("agent", "write", now_ms=0)
    path = tmp_path / FOLDER / f"{token.id}.json"
    sound = json.loads(path.read_text("utf-8"))
    for damage in ("", "[]", "{}", json.dumps(sound | {"right": "root"}), json.dumps(sound | {"created_at": "x"})):
        path.write_text(damage)
        assert tokens.find(secret, now_ms=1) is None
        assert tokens.list() == []


def test_rights_include_those_below_them(tmp_path):
    tokens = AccessTokens(tmp_path)
    may = {}
    for right in ("read", "write", "admin"):
        _, token = tokens.make("x", right, now_ms=0)
        may[right] = [token.may(wanted) for wanted in ("none", "read", "write", "admin")]
    assert may == {
        "read": [True, True, False, False],
        "write": [True, True, True, False],
        "admin": [True, True, True, True],
    }


def test_there_is_a_bound_on_tokens(tmp_path):
    tokens = AccessTokens(tmp_path)
    _, token = tokens.make("x", "read", now_ms=0)
    kept = (tmp_path / FOLDER / f"{token.id}.json").read_text("utf-8")
    for number in range(TOKENS_MAX - 1):
        (tmp_path / FOLDER / f"{number:016x}.json").write_text(kept)
    with pytest.raises(ValueError, match="take some back"):
        tokens.make("one more", "read", now_ms=0)
