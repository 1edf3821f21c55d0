"""A log that was continued twice, over real sockets: it is found, proven, and loses nothing."""

import shutil

import pytest

from chrysalis_memory import ChrysalisMemory
from memory_cases import WITHIN_S, contents, eventually


def opened(path, **more):
    return ChrysalisMemory(path, agent_id=path.name, embedder="none", **more)


@pytest.fixture
def listening(tmp_path):
    """The founder of a closed space, who takes links."""
    with opened(tmp_path / "founder", space="team", closed=True, listen="127.0.0.1:0") as founder:
        yield founder


def put_back(path, backup):
    """As a restored backup does it: the same file with what it held before."""
    database = path / "chrysalis.db"
    database.write_bytes(backup)
    for name in ("chrysalis.db-wal", "chrysalis.db-shm"):
        (path / name).unlink(missing_ok=True)


def test_what_a_restored_store_says_before_it_hears_is_proven_a_fork_and_all_of_it_is_said_again(tmp_path, listening):
    address, path = listening.status().address, tmp_path / "ada"
    with opened(path, invite=listening.invite()) as ada:
        key = ada.public_key
        ada.remember("said before the backup")
        ada.sync_once(address)
    backup = (path / "chrysalis.db").read_bytes()
    with opened(path) as ada:
        ada.remember("said after the backup")
        ada.sync_once(address)
    put_back(path, backup)
    with opened(path) as ada:
        ada.remember("said by the restored store")
        ada.sync_once(address)
        said = ["said after the backup", "said before the backup", "said by the restored store"]
        for memory in (ada, listening):
            assert eventually(lambda memory=memory: sorted(contents(memory.list())) == said, WITHIN_S)
            assert [proof.replica for proof in memory.proofs()] == [key]
            assert memory.verify()
        assert [member.removed for member in listening.members()] == [False, False]


def test_who_has_nothing_yet_is_let_in_by_a_store_that_was_moved(tmp_path, listening):
    path, moved, address = tmp_path / "ada", tmp_path / "moved", listening.status().address
    listening.remember("said by the founder")
    with opened(path, invite=listening.invite("administrator")) as ada:
        ada.remember("said before the move")
        ada.sync_once(address)
    shutil.copytree(path, moved)
    with opened(moved, listen="127.0.0.1:0") as ada:
        # What it says from here on stands in a new log, which comes after all of the old ones.
        ada.remember("said after the move")
        with opened(tmp_path / "ben", invite=ada.invite()) as ben:
            ben.remember("said by the newcomer")
            ben.sync_once(ada.status().address)
            said = ["said after the move", "said before the move", "said by the founder", "said by the newcomer"]
            assert sorted(contents(ben.list())) == sorted(contents(ada.list())) == said
