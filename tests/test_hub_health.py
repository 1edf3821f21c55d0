"""Health is what was tried: a disk that fills, a listener that is gone, a store that gives no lock."""

import os
import socket
import subprocess
import sys

import pytest

from chrysalis_memory import ChrysalisMemory, Config
from chrysalis_memory.hub.health import Check, Health, Unwell, accepts, as_answer, store_checks


def looked(checks):
    health = Health(interval_s=0.001)
    for name, tried in checks.items():
        health.add(name, tried)
    return {check.name: check.why if not check.ok else "ok" for check in health.look()}


@pytest.fixture
def tmpfs(tmp_path):
    """A disk of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if sys.platform == "linux" and os.geteuid() == 0
        else None
    )
    if mounted is None or mounted.returncode:
        pytest.skip("mounting a small disk needs rights that this user does not have")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_sound_store_is_well_and_nothing_is_left_behind(memory):
    before = memory.stats().operations
    names = {path.name for path in memory.path.iterdir()}
    assert looked(store_checks(memory, 1)) == {"disk": "ok", "room": "ok", "store": "ok"}
    assert memory.stats().operations == before
    assert {path.name for path in memory.path.iterdir()} == names


def test_a_full_disk_is_noticed_by_writing_and_so_is_its_recovery(memory, tmpfs):
    with ChrysalisMemory(tmpfs, embedder="none") as small:
        checks = {"disk": store_checks(small, 1)["disk"]}
        assert looked(checks) == {"disk": "ok"}
        filler = tmpfs / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass
        assert looked(checks)["disk"] != "ok"
        filler.unlink()
        assert looked(checks) == {"disk": "ok"}
    assert memory.stats().memories == 0


def test_too_little_room_is_said_before_the_disk_is_full(memory):
    told = looked(store_checks(memory, 1 << 62))
    assert told["disk"] == "ok"
    assert "bytes are free on the disk" in told["room"]


def test_a_store_whose_lock_another_process_keeps_is_not_well(tmp_path):
    program = (
        "import sys; from chrysalis_memory import ChrysalisMemory\n"
        "with ChrysalisMemory(sys.argv[1], embedder='none') as memory, memory.batch():\n"
        "    memory.remember('x'); print('inside', flush=True); sys.stdin.readline()\n"
    )
    with ChrysalisMemory(tmp_path, embedder="none", config=Config(busy_timeout_s=0.2)) as memory:
        checks = {"store": store_checks(memory, 1)["store"]}
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout.readline() == "inside\n"
            assert looked(checks) == {"store": "store_locked"}
            other.communicate("\n", timeout=30)
        assert looked(checks) == {"store": "ok"}


def test_a_listener_that_is_gone_is_noticed():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert looked({"http": accepts("127.0.0.1", port)}) == {"http": "ok"}
        assert looked({"http": accepts("0.0.0.0", port)}) == {"http": "ok"}
    assert looked({"http": accepts("127.0.0.1", port)}) == {"http": "the listener does not accept connections"}


def test_checks_run_at_most_once_in_the_interval_whoever_asks():
    now, runs = [0.0], []
    health = Health(interval_s=5, clock=lambda: now[0])
    health.add("count", lambda: runs.append(now[0]))
    for at in (0.0, 1.0, 4.9, 5.0, 5.1):
        now[0] = at
        assert health.look() == (Check("count", True),)
    assert runs == [0.0, 5.0]


def test_a_check_that_breaks_has_failed_and_tells_no_path(tmp_path):
    def missing():
        (tmp_path / "secret" / "place").read_text()

    def broken():
        raise ZeroDivisionError("secret")

    def unwell():
        raise Unwell("in plain words")

    told = looked({"missing": missing, "broken": broken, "unwell": unwell})
    assert told == {
        "missing": "No such file or directory",
        "broken": "ZeroDivisionError",
        "unwell": "in plain words",
    }


def test_one_failure_makes_the_whole_unwell_with_its_reason():
    answer = as_answer((Check("disk", True), Check("sync", False, "it stands still")))
    assert answer == {
        "status": "unwell",
        "checks": {"disk": "ok", "sync": "it stands still"},
        "reasons": ["sync: it stands still"],
    }
    assert as_answer((Check("disk", True),)) == {"status": "well", "checks": {"disk": "ok"}, "reasons": []}
