"""Where a passphrase comes from, in any build; stores that are really encrypted are in test_encryption.py."""

import io
import sys
import warnings
from getpass import GetPassWarning

import pytest

from chrysalis_memory.cli import passphrase as asking


class Terminal(io.StringIO):
    """Input that says of itself that somebody types it."""

    def isatty(self):
        return True


@pytest.fixture
def encrypted(tmp_path, monkeypatch):
    """A folder that looks like an encrypted store, in a build that could open one, at a terminal."""
    monkeypatch.delenv("CHRYSALIS_PASSPHRASE", raising=False)
    monkeypatch.setattr(asking, "HAS_ENCRYPTION", True)
    monkeypatch.setattr(sys, "stdin", Terminal())
    asking.use_passphrase_file(None)
    (tmp_path / "encryption").touch()
    return tmp_path


@pytest.fixture
def questions(monkeypatch):
    """What was asked; every answer is `sesame`."""
    asked = []
    monkeypatch.setattr(asking, "getpass", lambda prompt: asked.append(prompt) or "sesame")
    return asked


def test_all_openings_of_one_command_ask_once_and_the_next_command_asks_anew(encrypted, questions):
    assert [asking.passphrase(encrypted) for _ in range(3)] == ["sesame"] * 3
    assert questions == [f"Passphrase of {encrypted}: "]
    asking.use_passphrase_file(None)
    asking.passphrase(encrypted)
    assert len(questions) == 2


def test_nobody_is_asked_where_it_is_given_or_not_needed(encrypted, questions, monkeypatch):
    given = encrypted / "secret"
    given.touch(mode=0o600)
    given.write_text("from the file\r\n")
    asking.use_passphrase_file(given)
    assert asking.passphrase(encrypted) == "from the file"
    asking.use_passphrase_file(None)
    monkeypatch.setenv("CHRYSALIS_PASSPHRASE", "from the environment")
    assert asking.passphrase(encrypted) == "from the environment"
    monkeypatch.delenv("CHRYSALIS_PASSPHRASE")
    assert asking.passphrase(encrypted / "plain") is None
    monkeypatch.setattr(sys, "stdin", io.StringIO("sesame\n"))
    assert asking.passphrase(encrypted) is None
    assert asking.new_passphrase() is None
    assert questions == []


def test_a_terminal_that_would_show_the_answer_is_not_asked(encrypted, monkeypatch):
    def shown(_):
        warnings.warn("Can not control echo on the terminal.", GetPassWarning, stacklevel=2)
        return "sesame"

    monkeypatch.setattr(asking, "getpass", shown)
    with pytest.raises(ValueError, match="would show the passphrase; give --passphrase-file"):
        asking.passphrase(encrypted)


@pytest.mark.usefixtures("encrypted")
def test_two_different_answers_make_no_passphrase(monkeypatch):
    answers = iter(["sesame", "barley"])
    monkeypatch.setattr(asking, "getpass", lambda _: next(answers))
    with pytest.raises(ValueError, match="two passphrases"):
        asking.new_passphrase()
