"""Several processes on one store: nothing lost, everything seen, every chain whole."""

import signal
import subprocess
import sys
import threading

import pytest

import process_cases
from chrysalis_memory import ChrysalisMemory, NotFound
from memory_cases import contents
from process_cases import WITHIN_S, WORKERS, together


def test_four_writers_lose_nothing_and_a_reader_sees_all_of_it(processes, tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as reader:
        running = [processes.submit(process_cases.write, str(tmp_path), worker, 100) for worker in range(WORKERS)]
        seen = 0
        while not all(one.done() for one in running):
            now = reader.stats().memories
            assert now >= seen
            seen = now
        ids = [told for one in running for told in one.result(timeout=WITHIN_S)]
        assert len(set(ids)) == 400
        assert None not in reader.get_many(ids)
        assert reader.stats().memories == 400
        assert {len(reader.list(tags=[f"w{worker}"])) for worker in range(WORKERS)} == {100}
        assert len(reader.recall("says", k=1_000)) == 400
        assert {one.agent_id for one in reader.list(limit=400)} == {f"worker-{worker}" for worker in range(WORKERS)}
        assert reader.verify()


def test_what_one_process_acknowledged_the_next_one_finds(processes, tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        for number in range(5):
            memory.remember(f"word{number}")
            assert processes.submit(process_cases.recall, str(tmp_path), f"word{number}").result(WITHIN_S) == [
                f"word{number}"
            ]


def test_batches_of_several_processes_stay_whole(processes, tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as reader:
        running = [
            processes.submit(process_cases.write_in_batches, str(tmp_path), worker, 10, 10) for worker in range(WORKERS)
        ]
        while not all(one.done() for one in running):
            assert reader.stats().memories % 10 == 0
        assert sum(one.result(timeout=WITHIN_S) for one in running) == reader.stats().memories == 400
        assert reader.verify()


def test_processes_that_edit_one_memory_keep_every_edit(processes, tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        note = memory.remember("first wording")
        keys = together(
            processes, process_cases.edit, [(str(tmp_path), note.id, worker, 20) for worker in range(WORKERS)]
        )
        assert set(keys) == {memory.public_key}
        after = memory.get(note.id)
        assert len(after.tags) == WORKERS * 20
        assert len(memory.history(note.id)) == after.version == 1 + WORKERS * 20
        assert after.content.endswith("wording 19")
        assert memory.conflicts(note.id) == {}
        assert memory.verify()


def test_processes_that_open_a_new_store_at_once_agree_on_it(processes, tmp_path):
    opened = together(processes, process_cases.open_close, [(str(tmp_path / "new"), 5)] * WORKERS)
    with ChrysalisMemory(tmp_path / "new", embedder="none") as memory:
        assert memory.stats().memories == sum(opened)
        assert memory.stats().logs == 1
        assert memory.verify()


def test_a_watch_hears_another_process(processes, tmp_path):
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        changes = memory.watch(timeout=WITHIN_S)
        heard = []
        listener = threading.Thread(target=lambda: heard.extend(next(changes) for _ in range(3)))
        listener.start()
        ids = processes.submit(process_cases.write, str(tmp_path), 7, 3).result(timeout=WITHIN_S)
        listener.join(WITHIN_S)
        assert [(change.kind, change.id) for change in heard] == [("created", told) for told in ids]


def test_errors_come_back_from_another_process_whole(processes, tmp_path):
    with pytest.raises(NotFound) as caught:
        processes.submit(process_cases.raise_not_found, str(tmp_path)).result(timeout=WITHIN_S)
    assert caught.value.code == "not_found"
    assert caught.value.hint


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system does not kill that way")
def test_a_process_that_is_killed_in_a_batch_leaves_the_store_free_and_whole(tmp_path):
    program = (
        "import sys; from chrysalis_memory import ChrysalisMemory\n"
        "memory = ChrysalisMemory(sys.argv[1], embedder='none')\n"
        "memory.remember('acknowledged')\n"
        "with memory.batch():\n"
        "    memory.remember('never committed')\n"
        "    print('inside', flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    with ChrysalisMemory(tmp_path, embedder="none") as memory:
        command = [sys.executable, "-c", program, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout.readline() == "inside\n"
            assert contents(memory.list()) == ["acknowledged"]
            waiting = threading.Thread(target=lambda: memory.remember("waited"))
            waiting.start()
            other.kill()
        waiting.join(WITHIN_S)
        assert contents(memory.list(descending=False)) == ["acknowledged", "waited"]
        assert memory.verify()
