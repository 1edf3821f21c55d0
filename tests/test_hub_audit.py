"""The audit log: whole lines, bounded files, for their owner's eyes."""

import json
import os
import stat
import threading

from chrysalis_memory.hub.audit import NAME, AuditLog, read_audit


def log(path, bytes_max=1 << 20, files_max=3):
    return AuditLog(path, bytes_max=bytes_max, files_max=files_max, clock=lambda: 1.5)


def test_entries_are_read_back_in_order_and_by_kind(tmp_path):
    audit = log(tmp_path)
    audit.write("joined", key="ab")
    audit.write("refused", code="malformed", nothing=None)
    audit.write("joined", key="cd")
    assert read_audit(tmp_path, limit=10) == [
        {"at": "1970-01-01T00:00:01.500Z", "what": "joined", "key": "ab"},
        {"at": "1970-01-01T00:00:01.500Z", "what": "refused", "code": "malformed"},
        {"at": "1970-01-01T00:00:01.500Z", "what": "joined", "key": "cd"},
    ]
    assert [entry["key"] for entry in read_audit(tmp_path, limit=1, what="joined")] == ["cd"]
    assert read_audit(tmp_path / "none", limit=1) == []


def test_full_files_make_room_and_the_oldest_goes(tmp_path):
    audit = log(tmp_path, bytes_max=200)
    for number in range(40):
        audit.write("n", number=number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert set(files) <= {NAME, f"{NAME}.1", f"{NAME}.2"}
    assert len(files) >= 2
    assert all(path.stat().st_size < 300 for path in tmp_path.iterdir())
    numbers = [entry["number"] for entry in read_audit(tmp_path, limit=100)]
    assert numbers == list(range(numbers[0], 40))


def test_one_file_alone_begins_anew(tmp_path):
    audit = log(tmp_path, bytes_max=100, files_max=1)
    for number in range(10):
        audit.write("n", number=number)
    assert len(list(tmp_path.iterdir())) <= 1


def test_lines_of_threads_and_of_two_logs_on_one_file_stay_whole(tmp_path):
    audits = [log(tmp_path), log(tmp_path)]
    threads = [
        threading.Thread(
            target=lambda own=own: [audits[own % 2].write("n", own=own, text="x" * 200) for _ in range(50)]
        )
        for own in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Whoever sees another's line half written begins a new one, which leaves an empty one and tears none.
    entries = [json.loads(line) for line in (tmp_path / NAME).read_text("ascii").splitlines() if line]
    assert sorted(entry["own"] for entry in entries) == sorted(list(range(4)) * 50)
    assert len(read_audit(tmp_path, limit=1_000)) == len(entries)


def test_a_torn_line_swallows_no_other(tmp_path):
    audit = log(tmp_path)
    audit.write("first")
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"at": "1970", "wh')
    audit.write("second")
    assert [entry["what"] for entry in read_audit(tmp_path, limit=10)] == ["first", "second"]


def test_texts_are_cut_and_can_not_begin_a_line(tmp_path):
    log(tmp_path).write("n", id="a\nb" * 1000, many=["y" * 500] * 500)
    [entry] = read_audit(tmp_path, limit=10)
    assert entry["id"] == ("a\nb" * 1000)[:256]
    assert len(entry["many"]) == 256
    assert len(entry["many"][0]) == 256
    assert len((tmp_path / NAME).read_text("ascii").splitlines()) == 1


def test_what_can_not_be_written_is_counted_and_nothing_is_raised(tmp_path):
    audit = log(tmp_path / "gone")
    audit.write("n")
    assert audit.lost == 1


def test_the_file_is_for_its_owner_only(tmp_path):
    log(tmp_path).write("n")
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
