"""Files of the ghost: whole or not there, for their owner only, and what is not ours is set aside."""

import json
import os
import stat
import sys

import pytest

from chrysalis_memory.errors import StoreError, StoreLocked, TooLarge
from chrysalis_memory.ghost import files as ghost_files
from chrysalis_memory.ghost.files import GhostFiles, GhostProblem
from chrysalis_memory.ghost.limits import ENTRY_BYTES_MAX, SET_ASIDE_MAX
from ghost_cases import NOON

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and permissions of POSIX")


@pytest.fixture
def problems():
    return []


@pytest.fixture
def files(tmp_path, problems):
    return GhostFiles(tmp_path / "ghost", problems.append)


def put(files, place, data=b"junk"):
    path = files.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_what_was_written_is_read_with_its_time(files, problems):
    size = files.write("status.json", {"words": "Æ 日本 \ud800 \0", "deep": [[1.5, None, True]]}, NOON)
    kept = files.read("status.json")
    assert kept.data == {"words": "Æ 日本 \ud800 \0", "deep": [[1.5, None, True]]}
    assert (kept.written_at, kept.size_bytes) == (NOON, size)
    assert problems == []


def test_reading_makes_nothing(files):
    assert files.read("status.json") is None
    assert files.names("agents") == []
    assert not files.root.exists()


@posix
def test_folders_and_files_are_for_their_owner_only(files):
    files.write("pheromones/by_type/DREAM.json", 1, NOON)
    files.write("_meta/last_sync.txt", None, NOON)
    for path in [files.root, *files.root.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_nothing_unfinished_is_left_behind(files):
    for number in range(5):
        files.write("status.json", number, NOON)
    assert sorted(os.listdir(files.root)) == ["_meta", "status.json"]


def test_a_write_that_fails_leaves_what_was_there(files, monkeypatch):
    files.write("status.json", "before", NOON)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError) as caught:
        files.write("status.json", "after", NOON)
    assert caught.value.code == "disk_full"
    assert files.read("status.json").data == "before"
    assert sorted(os.listdir(files.root)) == ["_meta", "status.json"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "it is no JSON"),
        (b"{", "it is no JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "it is no UTF-8"),
        (b'{"ghost": 1, "data": NaN, "written_at": "2026-03-01"}', "no JSON that can be used"),
        (b"[1]", "no entry of the ghost"),
        (b'{"ghost": 2, "data": 1, "written_at": "2026-03-01"}', "or of a later version"),
        (b'{"ghost": 1, "data": 1}', "does not say when it was written"),
        (b'{"ghost": 1, "data": 1, "written_at": "2026-99-99"}', "month must be in 1..12"),
        (b'{"ghost": 1, "data": ' + b"9" * 5000 + b"}", "no JSON that can be used"),
        (b'"' + b"x" * ENTRY_BYTES_MAX + b'"', f"more than {ENTRY_BYTES_MAX} bytes"),
    ],
)
def test_what_is_not_ours_is_reported_and_set_aside_and_the_caller_goes_on(files, problems, data, what):
    path = put(files, "agents/ada.json", data)
    assert files.read("agents/ada.json") is None
    assert [(one.place, one.set_aside_as) for one in problems] == [("agents/ada.json", "agents/ada.json.set-aside-1")]
    assert what in problems[0].what
    assert not path.exists()
    assert (files.root / "agents/ada.json.set-aside-1").read_bytes() == data
    files.write("agents/ada.json", "anew", NOON)
    assert files.read("agents/ada.json").data == "anew"


def test_a_wrong_shape_is_set_aside_like_bad_json(files, problems):
    files.write("map.json", [1], NOON)

    def check(_):
        raise ValueError("it is no map")

    assert files.read("map.json", check) is None
    assert problems == [GhostProblem("map.json", "it is no map", "map.json.set-aside-1")]


def test_a_line_that_is_no_time_is_set_aside(files, problems):
    put(files, "_meta/last_sync.txt", b"yesterday\n")
    assert files.read("_meta/last_sync.txt") is None
    assert problems[0].set_aside_as == "_meta/last_sync.txt.set-aside-1"
    files.write("_meta/last_sync.txt", None, NOON)
    assert (files.root / "_meta/last_sync.txt").read_text() == "2026-03-01T12:00:00.000Z\n"
    assert files.read("_meta/last_sync.txt").written_at == NOON


@posix
def test_a_link_is_never_followed_and_its_target_never_touched(files, problems, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text('{"ghost": 1, "written_at": "2026-03-01", "data": "secret"}')
    files.root.mkdir()
    (files.root / "status.json").symlink_to(secret)
    assert files.read("status.json") is None
    (files.root / "map.json").symlink_to(secret)
    files.write("map.json", "ours", NOON)
    assert files.read("map.json").data == "ours"
    assert [one.what for one in problems] == ["it is a link", "it is a link"]
    assert json.loads(secret.read_text())["data"] == "secret"
    assert (files.root / "map.json.set-aside-1").is_symlink()


@posix
def test_a_folder_that_is_a_link_out_of_the_ghost_is_not_entered(files, problems, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "ada.json").write_text("not ours")
    files.root.mkdir()
    (files.root / "agents").symlink_to(outside)
    assert files.names("agents") == []
    assert not files.remove("agents/ada.json")
    assert files.read("agents/ada.json") is None
    assert problems == [GhostProblem("agents", "it is no folder", "agents.set-aside-1")]
    files.write("agents/ada.json", "ours", NOON)
    assert os.listdir(outside) == ["ada.json"]
    assert (outside / "ada.json").read_text() == "not ours"
    assert files.read("agents/ada.json").data == "ours"


def test_a_folder_in_a_file_s_place_is_set_aside(files, problems):
    (files.root / "status.json" / "inner").mkdir(parents=True)
    assert files.read("status.json") is None
    assert problems == [GhostProblem("status.json", "it is no file", "status.json.set-aside-1")]
    assert (files.root / "status.json.set-aside-1" / "inner").is_dir()


def test_a_file_in_a_folder_s_place_is_set_aside(files, problems):
    put(files, "agents")
    put(files, "_meta")
    files.write("agents/ada.json", 1, NOON)
    assert files.read("agents/ada.json").data == 1
    assert {one.set_aside_as for one in problems} == {"agents.set-aside-1", "_meta.set-aside-1"}


@posix
def test_a_pipe_in_a_file_s_place_makes_nobody_wait(files, problems):
    files.root.mkdir()
    os.mkfifo(files.root / "status.json")
    assert files.read("status.json") is None
    assert problems[0].set_aside_as == "status.json.set-aside-1"


def test_a_folder_in_the_place_of_the_lock_is_set_aside(files):
    (files.root / "_meta" / ".lock").mkdir(parents=True)
    files.write("status.json", 1, NOON)
    assert files.read("status.json").data == 1
    assert files.set_aside("_meta") == ["_meta/.lock.set-aside-1"]


def test_writing_never_destroys_what_is_not_ours(files, problems):
    put(files, "status.json", b"somebody's notes")
    files.write("status.json", "ours", NOON)
    assert (files.root / "status.json.set-aside-1").read_bytes() == b"somebody's notes"
    assert problems[0].set_aside_as == "status.json.set-aside-1"


def test_the_number_of_files_set_aside_has_an_end_and_none_is_deleted(files, problems):
    for number in range(SET_ASIDE_MAX):
        put(files, "status.json", str(number).encode())
        assert files.read("status.json") is None
    put(files, "status.json", b"one more")
    assert files.read("status.json") is None
    assert problems[-1].set_aside_as is None
    with pytest.raises(StoreError) as caught:
        files.write("status.json", "ours", NOON)
    assert caught.value.code == "ghost_unusable"
    assert (files.root / "status.json").read_bytes() == b"one more"
    assert len(files.set_aside()) == SET_ASIDE_MAX
    kept = {(files.root / place).read_bytes() for place in files.set_aside()}
    assert kept == {str(number).encode() for number in range(SET_ASIDE_MAX)}


def test_what_another_process_repaired_meanwhile_is_not_set_aside(files, problems, monkeypatch):
    put(files, "status.json")
    take = files.locked

    def repaired_first():
        (files.root / "status.json").unlink(missing_ok=True)
        monkeypatch.setattr(files, "locked", take)
        files.write("status.json", "good", NOON)
        return take()

    monkeypatch.setattr(files, "locked", repaired_first)
    assert files.read("status.json").data == "good"
    assert problems == []


def test_what_is_no_json_or_too_large_is_refused_and_the_old_entry_stays(files):
    files.write("status.json", "before", NOON)
    for bad in (float("nan"), object(), {1, 2}):
        with pytest.raises(ValueError, match="no JSON value"):
            files.write("status.json", bad, NOON)
    with pytest.raises(TooLarge) as caught:
        files.write("status.json", "x" * ENTRY_BYTES_MAX, NOON)
    assert caught.value.limit == ENTRY_BYTES_MAX
    assert files.read("status.json").data == "before"


def test_a_file_in_the_place_of_the_whole_ghost_is_an_error_of_writing_only(tmp_path, problems):
    (tmp_path / "ghost").write_text("a file")
    files = GhostFiles(tmp_path / "ghost", problems.append)
    assert files.read("status.json") is None
    with pytest.raises(StoreError) as caught:
        files.write("status.json", 1, NOON)
    assert caught.value.path == str(tmp_path / "ghost")
    assert (tmp_path / "ghost").read_text() == "a file"


@posix
@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="nothing is forbidden to the administrator")
def test_an_unreadable_file_is_set_aside(files, problems):
    files.write("status.json", 1, NOON)
    (files.root / "status.json").chmod(0)
    assert files.read("status.json") is None
    assert problems[0].set_aside_as == "status.json.set-aside-1"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that can't be read, for the administrator too")
def test_a_file_that_fails_to_be_read_is_reported(files, problems, monkeypatch):
    files.write("status.json", 1, NOON)

    def broken(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(ghost_files.os, "open", broken)
        assert files.read("status.json") is None
    assert any("Input/output error" in one.what for one in problems)


def test_who_waits_too_long_for_the_lock_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(ghost_files, "LOCK_WAIT_S", 0.01)
    holder, other = (GhostFiles(tmp_path, [].append) for _ in range(2))
    with holder.locked(), pytest.raises(StoreLocked) as caught, other.locked():
        pass
    assert caught.value.path == str(tmp_path)
    with other.locked():
        pass


def test_who_holds_the_lock_may_take_it_again(files):
    with files.locked(), files.locked():
        files.write("status.json", 1, NOON)
    assert files.read("status.json").data == 1
