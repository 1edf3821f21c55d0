"""How the command line fails: an exit code with one meaning, a sentence and a hint, or JSON."""

import os
import subprocess
import sys

import pytest

from chrysalis_memory.cli import failures
from chrysalis_memory.errors import BadSignature, DiskFull, LinkTimeout, NotFound


def raising(error):
    def app(**_):
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("none"), 1),
        (ValueError("wrong"), 2),
        (TypeError("wrong"), 2),
        (DiskFull("full"), 3),
        (LinkTimeout("slow"), 3),
        (PermissionError(13, "Permission denied", "/x"), 3),
        (BadSignature("altered"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_kind_of_failure_has_its_exit_code(error, code, capsys):
    assert failures.run(raising(error), []) == code
    assert capsys.readouterr().out == ""


def test_a_failure_is_a_sentence_and_a_hint_on_stderr(capsys):
    failures.run(raising(NotFound("there is no memory [bold]\x1b[31mx", hint="Look [again].")), [])
    assert capsys.readouterr().err == "error: there is no memory [bold]\ufffd[31mx\nhint:  Look [again].\n"


def test_misuse_by_option_is_told_with_the_command(chrysalis):
    wrong = chrysalis("recall", "x", "--bogus")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err == "error: No such option: --bogus\nhint:  See `chrysalis recall --help`.\n"
    assert chrysalis("recall", "--json", "--bogus").error["code"] == "usage"
    assert chrysalis("no-such-command").code == 2


def test_a_command_without_what_it_needs_shows_its_help(chrysalis):
    shown = chrysalis("show")
    assert (shown.code, shown.err) == (2, "")
    assert "Usage: chrysalis show" in shown.out


def test_our_own_bugs_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        failures.run(raising(ZeroDivisionError()), [])


def test_a_reader_that_leaves_early_is_no_failure(harbour):
    command = f"{sys.executable} -m chrysalis_memory.cli list --limit 100 --json --store {harbour.store}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -c 1"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[", "")


def test_a_folder_that_takes_no_writes_is_a_store_error(chrysalis, tmp_path):
    if os.geteuid() == 0:
        (tmp_path / "file").write_text("x")
        target = tmp_path / "file" / "store"
    else:
        tmp_path.chmod(0o500)
        target = tmp_path / "store"
    assert chrysalis("remember", "x", "--store", str(target)).code == 3
