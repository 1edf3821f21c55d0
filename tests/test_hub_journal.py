"""What merges did stands in the audit log: conflicts as they come and go, and what was forgotten; never words."""

import pytest

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.hub import journal as hub_journal
from chrysalis_memory.hub.audit import NAME, AuditLog, read_audit
from chrysalis_memory.hub.journal import Journal


@pytest.fixture
def journal(memory, monkeypatch):
    """One that these tests let look: two looks at once would tell nothing of either."""
    monkeypatch.setattr(hub_journal, "LOOK_S", 3_600)
    made = Journal(memory, AuditLog(memory.path, bytes_max=1 << 20, files_max=2))
    made.start()
    yield made
    made.stop()


def told(memory):
    return [
        {name: value for name, value in entry.items() if name != "at"} for entry in read_audit(memory.path, limit=99)
    ]


def test_a_merge_that_brings_a_conflict_is_told_once_and_its_settling_too(memory, journal, tmp_path):
    note = memory.remember("Tidewatch goes live on Monday", id="date")
    memory.export(tmp_path / "first")
    with ChrysalisMemory(tmp_path / "other", embedder="none") as other:
        other.import_(tmp_path / "first")
        other.update(note.id, content="on Tuesday", importance=0.1)
        other.export(tmp_path / "second")
    memory.update(note.id, content="on Wednesday")
    memory.import_(tmp_path / "second")
    journal._look()
    journal._look()
    assert told(memory) == [{"what": "conflict", "id": "date", "fields": ["content"]}]
    memory.update(note.id, content="on Thursday")
    journal._look()
    assert told(memory)[1:] == [{"what": "conflict_settled", "id": "date"}]


def test_what_is_forgotten_is_told_by_its_id_and_no_words_are_written(memory, journal):
    note = memory.remember("the door code is 4711")
    memory.forget(note.id, reason="a secret")
    journal._look()
    assert told(memory) == [{"what": "forgotten", "id": note.id}]
    assert "4711" not in (memory.path / NAME).read_text("ascii")


def test_stopping_tells_what_came_last(memory):
    journal = Journal(memory, AuditLog(memory.path, bytes_max=1 << 20, files_max=2))
    journal.start()
    note = memory.remember("x")
    memory.forget(note.id)
    journal.stop()
    assert told(memory) == [{"what": "forgotten", "id": note.id}]
