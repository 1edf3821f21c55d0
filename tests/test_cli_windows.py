"""Reading a window from a file or from standard input."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrysalis_memory.cli import windows
from chrysalis_memory.cli.windows import from_text, read_window
from chrysalis_memory.context import ContextWindow
from chrysalis_memory.errors import Malformed, TooLarge

ROLES = st.sampled_from(["user", "assistant", "system", "tool"])
# Paragraphs that begin like a turn can't be told from one, and space at the ends is not kept.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters=":", exclude_categories=["Cc"]), min_size=1).map(
    str.strip
)


@given(st.lists(st.tuples(ROLES, WORDS.filter(bool)), min_size=1, max_size=8))
def test_what_as_text_writes_is_read_back(turns):
    window = ContextWindow()
    for role, words in turns:
        window = window.add(role, words)
    assert [(turn.role, turn.content) for turn in from_text(window.as_text()).turns] == turns


@given(st.text())
def test_any_text_is_a_window_or_nothing(text):
    window = from_text(text)
    assert all(turn.content is not None for turn in window.turns)


def test_speakers_with_names_and_paragraphs_without_a_role():
    window = from_text("USER (Ines): one\n\ntwo\n\nassistant: three")
    assert [(turn.role, turn.name, turn.content) for turn in window.turns] == [
        ("user", "Ines", "one\n\ntwo"),
        ("assistant", None, "three"),
    ]


def test_the_line_of_a_ghost_is_no_part_of_what_was_said():
    assert [turn.content for turn in from_text("[GHOST] 2 hours old: locked\nuser: one").turns] == ["one"]


def test_a_million_paragraphs_take_no_longer_than_their_length():
    text = "user: a" + "\n\nb" * 200_000
    assert len(from_text(text).turns[0].content) == len(text) - 6


@pytest.mark.parametrize(
    "data",
    [b"[1, 2]", b'{"turns": [{"role": "user"}]}', b'{"turns": 7}', b'[{"role": 1, "content": ""}]', b"[", b"\xff"],
)
def test_json_of_another_shape_is_malformed(tmp_path, data):
    path = tmp_path / "window.json"
    path.write_bytes(data)
    with pytest.raises(Malformed):
        read_window(str(path), "json")


def test_json_that_is_no_window_is_text_when_nobody_says_otherwise(tmp_path):
    path = tmp_path / "notes"
    path.write_text(json.dumps({"cone": 6}))
    assert [turn.content for turn in read_window(str(path)).window.turns] == ['{"cone": 6}']


def test_too_large_and_missing_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "notes"
    path.write_text("x" * 100)
    monkeypatch.setattr(windows, "TEXT_BYTES_MAX", 99)
    with pytest.raises((Malformed, TooLarge), match="larger than"):
        read_window(str(path), "text")
    with pytest.raises(Malformed, match=r"missing: cannot be read"):
        read_window(str(tmp_path / "missing"))
    with pytest.raises(Malformed, match="is not a regular file"):
        read_window(str(tmp_path))
    path.write_text(" \n")
    with pytest.raises(ValueError, match="says nothing"):
        read_window(str(path))


def conversation(title, *words):
    mapping = {"root": {"parent": None, "children": ["0"], "message": None}}
    for place, said in enumerate(words):
        author = {"role": "user" if place % 2 == 0 else "assistant"}
        message = {"id": f"m{place}", "author": author, "content": {"content_type": "text", "parts": [said]}}
        mapping[str(place)] = {"parent": str(place - 1) if place else "root", "children": [], "message": message}
    return {"id": f"id-{title}", "title": title, "mapping": mapping, "current_node": str(len(words) - 1)}


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "conversations.json"
    told = [conversation("Kiln", "Which cone?", "Six."), conversation("Glaze", "Which glaze?", "Blue.")]
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize("chosen", ["2", "glaze", "id-Glaze", "GLA"])
def test_one_conversation_of_an_export_is_chosen_by_number_id_or_title(export, chosen):
    for source in (export, export.parent):
        found = read_window(str(source), "auto", chosen)
        assert (found.id, found.title) == ("id-Glaze", "Glaze")
        assert [turn.content for turn in found.window.turns] == ["Which glaze?", "Blue."]


@pytest.mark.parametrize(("chosen", "said"), [(None, "several conversations fit"), ("3", "no conversation fits")])
def test_an_unclear_choice_is_answered_with_what_there_is(export, chosen, said):
    with pytest.raises(ValueError, match=rf"{said}; choose one of 2 with --conversation: 1 'Kiln'; 2 'Glaze'$"):
        read_window(str(export), "chatgpt", chosen)


def test_a_session_of_claude_code_is_recognised_and_what_is_broken_in_it_is_told(tmp_path):
    path = tmp_path / "session.jsonl"
    lines = [
        json.dumps({"type": "user", "uuid": "1", "message": {"role": "user", "content": "Which cone?"}}),
        "{broken",
        json.dumps(
            {"type": "assistant", "uuid": "2", "parentUuid": "1", "message": {"role": "assistant", "content": "Six."}}
        ),
    ]
    path.write_text("\n".join(lines))
    found = read_window(str(path))
    assert [turn.content for turn in found.window.turns] == ["Which cone?", "Six."]
    assert [problem.line for problem in found.left_out] == [2]


def test_what_is_no_transcript_has_no_conversations(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    with pytest.raises(ValueError, match="only transcripts hold conversations"):
        read_window(str(path), "auto", "1")
    with pytest.raises(Malformed, match="no conversation could be read"):
        read_window(str(path), "chatgpt")
