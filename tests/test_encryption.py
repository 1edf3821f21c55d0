"""Encrypted stores, from Python and from the command line; and what a build without encryption says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chrysalis_memory import AgentMemory, ChrysalisMemory, MemoryStorage, StoreEncrypted, StoreError, StoreLocked
from chrysalis_memory.ghost import GhostCache, NoGhost, default_ghost_path
from chrysalis_memory.maintenance import HAS_ENCRYPTION, change_passphrase, decrypt, diagnose, encrypt, repair
from chrysalis_memory.paths import Paths
from cli_cases import CommandLine, at_terminal, needs_terminal
from hub_process import hub_process
from process_cases import (
    processes,  # noqa: F401 - a fixture
    together,
)

WORDS = "the lighthouse keeper counts ships"
SECRET = "open sesame"

built = pytest.mark.skipif(not HAS_ENCRYPTION, reason="this build has no encryption (--features encryption)")
not_built = pytest.mark.skipif(HAS_ENCRYPTION, reason="this build has encryption")


@pytest.fixture
def cli(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("CHRYSALIS_PASSPHRASE", raising=False)
    monkeypatch.delenv("CHRYSALIS_PASSPHRASE_FILE", raising=False)
    return CommandLine(tmp_path / "store", capsys, monkeypatch)


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    return str(written(path, SECRET + "\n"))


def written(path, text):
    """A file that its owner alone can read."""
    path.touch(mode=0o600)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def open_store(path, passphrase=SECRET, **more):
    return ChrysalisMemory(path, passphrase=passphrase, embedder="none", **more)


def holding(folder, text):
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def remember_encrypted(path, worker):
    with open_store(path, agent_id=f"worker-{worker}") as memory:
        return memory.remember(f"{WORDS} {worker}").id


# A build with encryption.


@built
def test_nothing_that_was_said_stands_in_the_folder_and_all_of_it_is_found(tmp_path):
    with open_store(tmp_path / "store") as memory:
        assert memory.encrypted
        kept = memory.remember(WORDS, tags=["seaside"], speaker="grandmother")
        assert memory.recall("lighthouse")[0].memory.id == kept.id
        assert SECRET not in repr(memory)
        assert holding(tmp_path, "lighthouse") == []
    for word in ("lighthouse", "seaside", "grandmother", "SQLite format", SECRET):
        assert holding(tmp_path, word) == [], word
    with open_store(tmp_path / "store") as memory:
        assert memory.get(kept.id).content == WORDS
        assert bool(memory.verify())


@built
def test_what_does_not_fit_is_told_with_a_code_and_a_hint_and_no_secret(tmp_path):
    open_store(tmp_path / "store").close()
    ChrysalisMemory(tmp_path / "plain", embedder="none").close()
    for path, passphrase, kind, code in [
        ("store", "open barley", StoreEncrypted, "passphrase_wrong"),
        ("store", None, StoreEncrypted, "store_encrypted"),
        ("plain", SECRET, StoreError, "store_plain"),
    ]:
        with pytest.raises(kind) as told:
            open_store(tmp_path / path, passphrase)
        assert told.value.code == code
        assert "barley" not in str(told.value)
        assert told.value.hint.endswith(".")
    with pytest.raises(TypeError, match="passphrase is text, not bytes"):
        open_store(tmp_path / "store", b"open sesame")
    with pytest.raises(ValueError, match="1 to 1024 bytes"):
        open_store(tmp_path / "store", "")


@built
async def test_agents_and_documents_use_encrypted_stores_too(tmp_path):
    async with AgentMemory("ada", path=tmp_path / "store", passphrase=SECRET, embedder="none") as agent:
        kept = await agent.remember(WORDS)
    with MemoryStorage(tmp_path / "store", "ada", passphrase=SECRET) as storage:
        assert storage.get(kept.id).content == WORDS


@built
def test_many_processes_share_one(tmp_path, processes):  # noqa: F811 - a fixture
    path = str(tmp_path / "store")
    ids = together(processes, remember_encrypted, [(path, worker) for worker in range(4)])
    with open_store(path) as memory:
        assert {hit.memory.id for hit in memory.recall("lighthouse")} == set(ids)
    assert holding(path, "lighthouse") == []


@built
def test_a_store_is_encrypted_changed_and_made_plain_again(tmp_path):
    path = tmp_path / "store"
    with ChrysalisMemory(path, embedder="none") as memory:
        kept = memory.remember(WORDS)
        key = memory.public_key
        with pytest.raises(StoreLocked):
            encrypt(path, SECRET)
    encrypt(path, SECRET)
    assert holding(path, "lighthouse") == []
    change_passphrase(path, SECRET, "second")
    encrypt(path, "third", before="second")
    with pytest.raises(StoreEncrypted):
        open_store(path, "second")
    with open_store(path, "third") as memory:
        assert (memory.get(kept.id).content, memory.public_key) == (WORDS, key)
        assert memory.recall("keeper")[0].memory.id == kept.id
    decrypt(path, "third")
    with ChrysalisMemory(path, embedder="none") as memory:
        assert not memory.encrypted
        assert memory.get(kept.id).content == WORDS


@built
def test_a_bundle_of_an_encrypted_store_is_plain_and_another_store_takes_it(tmp_path):
    with open_store(tmp_path / "store") as memory:
        kept = memory.remember(WORDS)
        memory.export(tmp_path / "bundle")
    assert WORDS.encode() in (tmp_path / "bundle").read_bytes()
    with open_store(tmp_path / "other", "another") as memory:
        memory.import_(tmp_path / "bundle")
        assert memory.get(kept.id).content == WORDS


@built
def test_the_doctor_needs_the_passphrase_and_mends_what_it_can(tmp_path):
    path = tmp_path / "store"
    with open_store(path) as memory:
        memory.remember(WORDS)
        memory.recall("lighthouse")
    assert [one.code for one in diagnose(path)] == ["store_encrypted"]
    assert [one.code for one in diagnose(path, passphrase=SECRET)] == ["holds"]
    (path / "text.db").write_bytes(b"no database" * 1000)
    assert "derived_damaged" in [one.code for one in diagnose(path, passphrase=SECRET)]
    repair(path, passphrase=SECRET)
    assert [one.code for one in diagnose(path, passphrase=SECRET)] == ["holds"]
    assert holding(path, "lighthouse") == []


@built
async def test_the_ghost_of_an_encrypted_store_is_off_unless_a_folder_is_named(tmp_path):
    path = tmp_path / "store"
    async with Paths(path, passphrase=SECRET, embedder="none") as paths:
        assert isinstance(paths.ghost, NoGhost)
        answer = await paths.invoke("self.memory.manifest")
        assert (answer.is_ghost, answer.warnings) == (False, ())
        with pytest.raises(StoreError) as told:
            await paths.invoke("self.memory.engram", state={"text": WORDS})
        assert told.value.code == "ghost_off"
    assert not default_ghost_path(path).exists()
    with open_store(path) as memory:
        assert isinstance(Paths(memory).ghost, NoGhost)
        assert Paths(memory, ghost=tmp_path / "ghost").ghost.keeps


@built
def test_the_command_line_takes_the_passphrase_from_a_file_or_the_environment(cli, secret_file, monkeypatch):
    told = ("--passphrase-file", secret_file)
    assert cli(*told, "remember", WORDS).code == 0
    assert holding(cli.store, "lighthouse") == []
    refused = cli("recall", "lighthouse", "--json")
    assert (refused.code, refused.error["code"]) == (3, "store_encrypted")
    assert WORDS in cli(*told, "recall", "lighthouse").out
    assert cli(*told, "doctor").code == 0
    assert cli("doctor").code == 1
    monkeypatch.setenv("CHRYSALIS_PASSPHRASE", SECRET)
    assert WORDS in cli("recall", "lighthouse").out
    monkeypatch.setenv("CHRYSALIS_PASSPHRASE", "barley")
    refused = cli("recall", "lighthouse", "--json")
    assert refused.error["code"] == "passphrase_wrong"
    assert "barley" not in refused.err + refused.out


@built
def test_the_command_encrypts_clears_the_ghost_and_goes_back(cli, secret_file, tmp_path):
    assert cli("remember", WORDS).code == 0
    GhostCache(cli.ghost).write_agent("ada", {"text": WORDS})
    told = ("--passphrase-file", secret_file)
    assert cli("encrypt").code == 2
    assert cli(*told, "encrypt", "--json").json["done"] == "encrypted"
    assert holding(tmp_path, "lighthouse") == []
    assert cli(*told, "encrypt").code == 2
    other = written(tmp_path / "other", "second")
    assert cli(*told, "encrypt", "--new-passphrase-file", str(other)).rows[0][0] == "new passphrase"
    assert cli(*told, "recall", "lighthouse").code == 3
    again = ("--passphrase-file", str(other))
    assert cli(*again, "encrypt", "--new-key").rows[0][0] == "new key"
    assert WORDS in cli(*again, "recall", "lighthouse").out
    assert cli(*again, "encrypt", "--off").rows[0][0] == "plain"
    assert WORDS in cli("recall", "lighthouse").out


@built
def test_a_hub_serves_from_an_encrypted_store(tmp_path):
    with hub_process(tmp_path / "hub", CHRYSALIS_PASSPHRASE=SECRET) as hub, hub.client() as client:
        assert client.post("/v1/memories", json={"content": WORDS}).status_code < 300
        assert holding(tmp_path / "hub", "lighthouse") == []
    with open_store(tmp_path / "hub") as memory:
        assert memory.list()[0].content == WORDS


@built
def test_a_process_shows_its_passphrase_to_nobody_who_lists_processes(tmp_path, secret_file):
    program = (
        "import sys; from pathlib import Path; from chrysalis_memory.cli.app import build_app;"
        "from chrysalis_memory.cli.failures import run; run(build_app(), sys.argv[1:]);"
        "print(Path('/proc/self/cmdline').read_bytes() if Path('/proc/self/cmdline').exists() else b'')"
    )
    arguments = ["--passphrase-file", secret_file, "remember", WORDS, "--store", str(tmp_path / "store")]
    environment = {**os.environ, "CHRYSALIS_EMBEDDER": "none"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    assert SECRET not in done.stdout + done.stderr
    assert holding(tmp_path / "store", WORDS) == []


# A build without.


@not_built
def test_a_build_without_encryption_says_which_build_is_needed(tmp_path, cli, secret_file):
    with pytest.raises(StoreEncrypted) as told:
        open_store(tmp_path / "new")
    assert told.value.code == "encryption_not_built"
    assert "--features encryption" in told.value.hint
    with ChrysalisMemory(tmp_path / "plain", embedder="none") as memory:
        memory.remember(WORDS)
        assert not memory.encrypted
    with pytest.raises(StoreEncrypted, match="no encryption"):
        encrypt(tmp_path / "plain", SECRET)
    with ChrysalisMemory(tmp_path / "plain", embedder="none") as memory:
        assert memory.list()[0].content == WORDS
    refused = cli("--passphrase-file", secret_file, "remember", WORDS, "--json")
    assert json.loads(refused.err)["error"]["code"] == "encryption_not_built"


# Either build.


def test_a_passphrase_file_that_can_t_be_read_is_named_and_nothing_of_it_is_shown(cli, tmp_path):
    long = written(tmp_path / "long", "sesame" * 1000)
    binary = written(tmp_path / "binary", b"\xff\xfe")
    for path, why in [(tmp_path / "none", "No such file"), (long, "too long"), (binary, "no text")]:
        refused = cli("--passphrase-file", str(path), "remember", WORDS)
        assert refused.code == 2
        assert why in refused.err
        assert "sesame" not in refused.err
    assert not cli.store.exists()


def test_a_plain_store_says_how_it_is_converted(tmp_path):
    ChrysalisMemory(tmp_path, embedder="none").close()
    with pytest.raises(StoreError) as told:
        open_store(tmp_path)
    assert told.value.code == "store_plain"
    assert "chrysalis encrypt" in told.value.hint


@pytest.mark.skipif(os.name != "posix", reason="this system says otherwise who may read a file")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_passphrase_file_that_others_can_read_is_refused(cli, secret_file, mode):
    Path(secret_file).chmod(mode)
    refused = cli("--passphrase-file", secret_file, "remember", WORDS, "--json")
    assert (refused.code, refused.error["code"]) == (2, "misuse")
    assert "others can read" in refused.error["message"]
    assert "chmod 600" in refused.error["message"]
    assert SECRET not in refused.err
    assert not cli.store.exists()


# At a terminal.


@built
@needs_terminal
def test_a_terminal_is_asked_once_and_shows_nothing_of_the_answer(cli):
    with open_store(cli.store) as memory:
        memory.remember(WORDS)
    question = f"Passphrase of {cli.store}: "
    code, shown = at_terminal("models", "list", answers=[(question, SECRET)])
    assert (code, shown.count("Passphrase of")) == (0, 1)
    code, shown = at_terminal("recall", "lighthouse", answers=[(question, SECRET)])
    assert (code, SECRET in shown, WORDS in shown) == (0, False, True)
    code, shown = at_terminal("recall", "lighthouse", answers=[(question, "barley")])
    assert (code, "barley" in shown, "does not open this store" in shown) == (3, False, True)


@built
@needs_terminal
def test_who_gave_a_passphrase_or_has_a_plain_store_is_not_asked(cli, secret_file, monkeypatch):
    assert at_terminal("remember", WORDS)[0] == 0
    encrypt(cli.store, SECRET)
    assert at_terminal("--passphrase-file", secret_file, "recall", "lighthouse")[0] == 0
    monkeypatch.setenv("CHRYSALIS_PASSPHRASE", SECRET)
    assert at_terminal("recall", "lighthouse")[0] == 0


@built
@needs_terminal
def test_a_new_passphrase_is_asked_for_twice(cli):
    assert cli("remember", WORDS).code == 0
    slip = [("New passphrase: ", SECRET), ("The same again: ", "barley")]
    code, shown = at_terminal("encrypt", answers=slip)
    assert (code, "two passphrases" in shown) == (2, True)
    assert holding(cli.store, "lighthouse") != []
    assert at_terminal("encrypt", answers=[("New passphrase: ", SECRET), ("The same again: ", SECRET)])[0] == 0
    assert holding(cli.store, "lighthouse") == []
    question = f"Passphrase of {cli.store}: "
    other = [(question, SECRET), ("New passphrase: ", "second"), ("The same again: ", "second")]
    code, shown = at_terminal("encrypt", answers=other)
    assert (code, "new passphrase" in shown, "second" in shown) == (0, True, False)
    with open_store(cli.store, "second") as memory:
        assert memory.list()[0].content == WORDS


@built
def test_without_a_terminal_the_error_says_what_to_give(cli):
    open_store(cli.store).close()
    refused = cli("recall", "lighthouse", stdin=f"{SECRET}\n")
    assert refused.code == 3
    assert "--passphrase-file" in refused.err
    assert "CHRYSALIS_PASSPHRASE" in refused.err
