"""Reading files that nobody has vouched for."""

import os

import pytest

from chrysalis_memory.importing.text import Unreadable, read_head, read_lines, read_text
from chrysalis_memory.records import ImportProblem
from importing_cases import write


def problem_of(path, bytes_max=1000):
    with pytest.raises(Unreadable) as refusal:
        read_text(path, bytes_max)
    return refusal.value.problem


def test_text_comes_without_its_byte_order_mark(tmp_path):
    path = write(tmp_path, "a.txt", b"\xef\xbb\xbfgl\xc3\xbchend\n")
    assert read_text(path) == "glühend\n"
    assert read_head(path, 4) == "g"
    assert list(read_lines(path)) == [(1, "glühend")]


def test_what_is_no_text_is_named_with_its_line(tmp_path):
    path = write(tmp_path, "a.txt", b"one\ntwo\nthr\xffe\n")
    assert problem_of(path) == ImportProblem(str(path), 3, "is no UTF-8 text (byte 0xff)")


def test_a_bad_line_does_not_end_the_reading(tmp_path):
    path = write(tmp_path, "a.jsonl", b"one\n\xff\n\n" + b"x" * 40 + b"\nlast")
    assert list(read_lines(path, 20)) == [
        (1, "one"),
        ImportProblem(str(path), 2, "is no UTF-8 text (byte 0xff)"),
        ImportProblem(str(path), 4, "line is longer than 0 MiB"),
        (5, "last"),
    ]


def test_a_line_that_just_fits_is_read(tmp_path):
    path = write(tmp_path, "a.jsonl", "12345678\n12345678\n123456789")
    assert list(read_lines(path, 9)) == [(1, "12345678"), (2, "12345678"), (3, "123456789")]


def test_a_file_above_the_bound_is_not_read(tmp_path):
    assert "is larger than" in problem_of(write(tmp_path, "a.txt", "x" * 1001)).what


def test_a_missing_file_is_a_problem(tmp_path):
    assert problem_of(tmp_path / "none.txt").what == "cannot be read: No such file or directory"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_with_a_harmless_name_does_not_hang_the_import(tmp_path):
    os.mkfifo(tmp_path / "a.md")
    assert problem_of(tmp_path / "a.md").what == "is not a regular file"


def test_a_folder_is_no_file(tmp_path):
    assert problem_of(tmp_path).what == "is not a regular file"
