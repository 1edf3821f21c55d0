"""Opening and closing, and everything that may happen to a store in between."""

import copy
import gc
import os
import pickle
import stat
import subprocess
import sys
import threading
import warnings
import weakref

import pytest

from chrysalis_memory import ChrysalisError, ChrysalisMemory, Config, NotFound, StoreError, TooLarge
from memory_cases import begun_since, contents, eventually, found

CALLS = {
    "remember": lambda memory: memory.remember("x"),
    "remember_many": lambda memory: memory.remember_many([{"content": "x"}]),
    "recall": lambda memory: memory.recall("x"),
    "get": lambda memory: memory.get("x"),
    "get_many": lambda memory: memory.get_many(["x"]),
    "range": lambda memory: memory.range(None, None),
    "list": lambda memory: memory.list(),
    "update": lambda memory: memory.update("x", content="y"),
    "relate": lambda memory: memory.relate("x", "y"),
    "add_evidence": lambda memory: memory.add_evidence("x", "y"),
    "history": lambda memory: memory.history("x"),
    "conflicts": lambda memory: memory.conflicts("x"),
    "ancestors": lambda memory: memory.ancestors("x"),
    "descendants": lambda memory: memory.descendants("x"),
    "forget": lambda memory: memory.forget("x"),
    "consolidate": lambda memory: memory.consolidate(),
    "promote": lambda memory: memory.promote(),
    "batch": lambda memory: memory.batch().__enter__(),
    "flush": lambda memory: memory.flush(),
    "vector_models": lambda memory: memory.vector_models(),
    "drop_vectors": lambda memory: memory.drop_vectors("x"),
    "watch": lambda memory: memory.watch(),
    "verify": lambda memory: memory.verify(),
    "stats": lambda memory: memory.stats(),
    "proofs": lambda memory: memory.proofs(),
    "role": lambda memory: memory.role,
    "robust": lambda memory: memory.robust,
    "configure": lambda memory: memory.configure(robust=True),
    "invite": lambda memory: memory.invite(),
    "invitations": lambda memory: memory.invitations(),
    "revoke": lambda memory: memory.revoke("0" * 64),
    "members": lambda memory: memory.members(),
    "remove": lambda memory: memory.remove("x"),
    "attest": lambda memory: memory.attest("x", 0.5),
    "validate": lambda memory: memory.validate("x"),
    "peers": lambda memory: memory.peers(),
    "add_peer": lambda memory: memory.add_peer("wss://hub.example:4444"),
    "forget_peer": lambda memory: memory.forget_peer("wss://hub.example:4444"),
    "status": lambda memory: memory.status(),
    "sync_state": lambda memory: memory.sync_state("x"),
    "synced": lambda memory: memory.synced(),
    "sync_once": lambda memory: memory.sync_once("ws://127.0.0.1:9"),
    "merge": lambda memory: memory.merge(memory),
    "receipt": lambda memory: memory.receipt("x"),
    "export": lambda memory: memory.export("bundle"),
    "rebuild": lambda memory: memory.rebuild(),
    "create_working_memory": lambda memory: memory.create_working_memory("x"),
    "create_episodic_memory": lambda memory: memory.create_episodic_memory("x"),
    "get_episodic_memories": lambda memory: memory.get_episodic_memories(),
}


@pytest.mark.parametrize("name", CALLS)
def test_after_closing_every_call_says_so(tmp_path, name):
    memory = ChrysalisMemory(tmp_path)
    memory.close()
    with pytest.raises(StoreError) as caught:
        CALLS[name](memory)
    assert (caught.value.code, caught.value.hint) == ("closed", "Open it again.")


def test_every_public_method_is_in_the_list_above():
    public = {name for name in dir(ChrysalisMemory) if not name.startswith("_")}
    assert public - set(CALLS) == {"brought_along", "close", "closed", "encrypted", "import_", "path", "public_key"}


def test_closing_twice_is_no_error_and_ends_the_thread(tmp_path):
    before = set(threading.enumerate())
    memory = ChrysalisMemory(tmp_path)
    assert begun_since(before) != []
    for _ in range(3):
        memory.close()
    assert begun_since(before) == []
    assert memory.path == tmp_path


def test_the_context_closes_after_an_exception_and_passes_it_on(tmp_path):
    opened = []

    def interrupted():
        with ChrysalisMemory(tmp_path) as memory:
            opened.append(memory)
            memory.remember("kept")
            raise LookupError

    with pytest.raises(LookupError):
        interrupted()
    with pytest.raises(StoreError):
        opened[0].list()
    with ChrysalisMemory(tmp_path) as memory:
        assert contents(memory.list()) == ["kept"]


def test_threads_that_use_the_store_while_it_closes_get_an_answer_or_an_error(tmp_path):
    memory = ChrysalisMemory(tmp_path)
    acknowledged, errors = [], []

    def write(worker):
        try:
            for number in range(10_000):
                note = memory.remember(f"{worker} {number}")
                acknowledged.append(note.id)
        except StoreError as error:
            errors.append(error.code)

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(acknowledged) > 20)
    memory.close()
    for thread in threads:
        thread.join(30)
    assert errors == ["closed"] * 4
    with ChrysalisMemory(tmp_path) as again:
        assert None not in again.get_many(acknowledged)


def test_an_object_that_nobody_holds_ends_and_loses_nothing_acknowledged(tmp_path):
    before = set(threading.enumerate())
    memory = ChrysalisMemory(tmp_path, embedder=lambda text: [float(len(text)), 1.0])
    note = memory.remember("acknowledged")
    gone = weakref.ref(memory)
    del memory
    gc.collect()
    assert eventually(lambda: gone() is None)
    assert note.content == "acknowledged"
    assert eventually(lambda: begun_since(before) == [])
    with ChrysalisMemory(tmp_path) as again:
        assert again.get(note.id).content == "acknowledged"


def test_a_program_that_ends_without_closing_loses_nothing_and_says_nothing(tmp_path):
    program = (
        "import sys; from chrysalis_memory import ChrysalisMemory, Config\n"
        "memory = ChrysalisMemory(sys.argv[1], embedder=lambda text: [1.0, 2.0], config=Config(access_flush_s=0.001))\n"
        "for number in range(20):\n"
        "    memory.remember(f'note {number}')\n"
        "memory.recall('note', k=1)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    with ChrysalisMemory(tmp_path) as memory:
        assert memory.stats().memories == 20
        assert sum(one.access_count for one in memory.list()) == 1
        assert memory.verify()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_that_forked_is_told_to_open_the_store_again(tmp_path):
    memory = ChrysalisMemory(tmp_path)
    memory.remember("before")
    with warnings.catch_warnings():
        # Newer versions of Python warn of forking beside threads, which is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            memory.remember("in the child")
        except StoreError as error:
            status = 2 if (error.code, "Open the store again" in error.hint) == ("forked", True) else 3
        memory.close()
        del memory
        gc.collect()
        with ChrysalisMemory(tmp_path) as own:
            own.remember("from the child")
        os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 2
    memory.remember("after")
    assert contents(memory.list(descending=False)) == ["before", "from the child", "after"]
    assert memory.verify()
    memory.close()


def test_the_key_is_its_owners_alone(memory):
    assert stat.S_IMODE((memory.path / "key").stat().st_mode) == 0o600
    assert (memory.path / "key").stat().st_size == 32


def test_no_text_about_a_store_shows_its_key(memory):
    secret = (memory.path / "key").read_bytes()
    note = memory.remember("x")
    shown = [
        repr(memory),
        repr(note),
        repr(note.to_dict()),
        repr(memory.stats()),
        repr(memory.recall("x")),
        repr(memory.history(note.id)),
        repr(vars(memory)),
        repr(memory.config),
    ]
    for text in shown:
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
    assert str(memory.path) in repr(memory)


def test_a_store_keeps_one_space(tmp_path):
    with ChrysalisMemory(tmp_path, space="studio") as memory:
        memory.remember("kept")
        assert memory.space == "studio"
    with pytest.raises(ValueError, match='the space "studio", not "garden"'):
        ChrysalisMemory(tmp_path, space="garden")
    with ChrysalisMemory(tmp_path, space="studio") as memory:
        assert contents(memory.list()) == ["kept"]


def test_without_a_path_the_store_lies_in_the_platforms_data_folder(tmp_path, monkeypatch):
    for name in ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    with ChrysalisMemory() as memory:
        memory.remember("at home")
        assert tmp_path in memory.path.parents
        assert (memory.path.parent.name, memory.path.name) == ("chrysalis-memory", "default")
    with ChrysalisMemory(None) as memory:
        assert contents(memory.list()) == ["at home"]


def test_a_path_may_be_text_a_path_relative_or_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for path in [str(tmp_path / "a" / "b"), tmp_path / "a" / "b", "a/b", "~/a/b"]:
        with ChrysalisMemory(path) as memory:
            memory.remember("here")
    with ChrysalisMemory(tmp_path / "a" / "b") as memory:
        assert memory.stats().memories == 4


@pytest.mark.parametrize("name", ["späße 記憶", "with space", "per%cent?mode=ro#x", "quote'\"", "-dash"])
def test_a_folder_may_have_any_name(tmp_path, name):
    with ChrysalisMemory(tmp_path / name) as memory:
        memory.remember("here")
        assert found(memory.recall("here")) == ["here"]


def test_a_path_that_is_a_file_is_refused_and_stays_as_it_was(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="a store is a folder"):
        ChrysalisMemory(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_database_of_another_program_is_refused_and_stays_as_it_was(tmp_path):
    (tmp_path / "chrysalis.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError) as caught:
        ChrysalisMemory(tmp_path)
    assert caught.value.hint
    assert (tmp_path / "chrysalis.db").read_bytes() == b"this is no database" * 100


def test_stores_and_memories_are_not_pickled_by_accident(memory):
    note = memory.remember("x")
    for thing in (memory, note, note.logical_time):
        for copying in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError):
                copying(thing)
    assert memory.get(note.id) == note


@pytest.mark.parametrize("call", [lambda m: m.forget("unknown"), lambda m: m.remember("x" * 70_000)])
def test_errors_can_be_sent_to_another_process(memory, call):
    with pytest.raises(ChrysalisError) as caught:
        call(memory)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.code, again.hint) == (
        type(caught.value),
        str(caught.value),
        caught.value.code,
        caught.value.hint,
    )
    assert type(caught.value) in {NotFound, TooLarge}


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_every_level_of_durability_works_and_survives_opening_again(tmp_path, durability):
    with ChrysalisMemory(tmp_path, config=Config(durability=durability)) as memory:
        memory.remember("kept")
    with ChrysalisMemory(tmp_path) as memory:
        assert contents(memory.list()) == ["kept"]


def test_the_derived_files_may_be_lost(tmp_path):
    with ChrysalisMemory(tmp_path, embedder=lambda text: [float(len(text)), 1.0]) as memory:
        memory.remember("the kiln")
        memory.flush()
        memory.recall("kiln")
    for name in ("text.db", "vectors.db"):
        (tmp_path / name).unlink()
    with ChrysalisMemory(tmp_path, embedder=lambda text: [float(len(text)), 1.0]) as memory:
        assert found(memory.recall("kiln")) == ["the kiln"]
        memory.flush()
        assert memory.stats().vectors == 1
