"""Markdown: a memory for each section under a heading."""

import os

from chrysalis_memory.importing import markdown
from chrysalis_memory.importing.markdown import sections
from chrysalis_memory.records import ImportProblem
from importing_cases import contents, read, write

NOTE = """\
---
title: Kiln notes
tags: [kiln, "test fire"]
date: 2026-03-01T12:00:00Z
author: Mira
---
Before any heading.

# Kiln

## Schedule

Bisque to 1000 degrees.

### Cooling
Slow below 600.

## Repairs ##

```sh
# not a heading
```
"""


def test_a_section_is_a_memory_with_its_headings_line_and_file(tmp_path):
    records, problems = read(write(tmp_path, "kiln.md", NOTE))
    assert problems == []
    assert contents(records) == [
        "Before any heading.",
        "## Schedule\n\nBisque to 1000 degrees.",
        "### Cooling\nSlow below 600.",
        "## Repairs ##\n\n```sh\n# not a heading\n```",
    ]
    assert [record["metadata"].get("headings") for record in records] == [
        None,
        ["Kiln", "Schedule"],
        ["Kiln", "Schedule", "Cooling"],
        ["Kiln", "Repairs"],
    ]


def test_front_matter_speaks_for_every_section(tmp_path):
    record = read(write(tmp_path, "kiln.md", NOTE))[0][2]
    assert {key: record[key] for key in ("tags", "occurred_at", "speaker", "thread", "memory_type")} == {
        "tags": ("kiln", "test fire"),
        "occurred_at": "2026-03-01T12:00:00.000Z",
        "speaker": "Mira",
        "thread": "kiln.md",
        "memory_type": "knowledge",
    }
    assert record["metadata"]["title"] == "Kiln notes"


def test_underlined_headings_are_headings():
    found = list(sections("Title\n=====\n\ntext\n\nSub\n---\n\nmore\n\n- item\n---\nrule above"))
    assert [section.headings for section in found] == [("Title",), ("Title", "Sub")]
    assert found[1].text.endswith("rule above")


def test_sections_know_their_lines():
    assert [(section.line, section.text) for section in sections("a\n\n# B\n\ntext\n# C\nend")] == [
        (1, "a"),
        (3, "# B\n\ntext"),
        (6, "# C\nend"),
    ]


def test_an_open_fence_runs_to_the_end():
    assert len(list(sections("# A\n~~~~\n# b\n```\n# c\n~~~\n# d"))) == 1


def test_an_untouched_section_keeps_its_id_when_the_file_is_edited_or_touched(tmp_path):
    path = write(tmp_path, "a.md", "# One\nfirst\n# Two\nsecond")
    before = [record["id"] for record in read(path)[0]]
    os.utime(path, (1, 1))
    assert [record["id"] for record in read(path)[0]] == before
    write(tmp_path, "a.md", "# One\nfirst\n# Two\nsecond, edited")
    after = [record["id"] for record in read(path)[0]]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_windows_line_ends_change_nothing(tmp_path):
    unix = read(write(tmp_path, "a.md", "# One\n\nfirst\n"))[0]
    windows = read(write(tmp_path, "a.md", b"\xef\xbb\xbf# One\r\n\r\nfirst\r\n"))[0]
    assert windows == unix


def test_a_folder_is_read_in_order_of_name_with_hidden_things_left_out(tmp_path):
    for name in ("b.md", "a.MD", "sub/c.markdown", ".obsidian/d.md", ".e.md", "picture.png"):
        write(tmp_path, name, f"in {name}")
    records, problems = read(tmp_path)
    assert [record["thread"] for record in records] == ["a.MD", "b.md", "sub/c.markdown"]
    assert problems == []


def test_a_bad_file_is_named_and_the_rest_goes_on(tmp_path):
    write(tmp_path, "a.md", b"ok\n\xff")
    write(tmp_path, "b.md", "---\ndate: some day\n---\ntext")
    write(tmp_path, "c.md", "fine")
    records, problems = read(tmp_path)
    assert contents(records) == ["fine"]
    assert problems == [
        ImportProblem(str(tmp_path / "a.md"), 2, "is no UTF-8 text (byte 0xff)"),
        ImportProblem(
            str(tmp_path / "b.md"),
            1,
            "front matter: date: 'some day' is no ISO 8601 time, such as 2026-03-01 or 2026-03-01T12:00:00Z",
        ),
    ]


def test_links_are_not_followed_and_loops_do_no_harm(tmp_path):
    outside = write(tmp_path, "outside/secret.md", "secret")
    notes = write(tmp_path, "notes/a.md", "mine").parent
    (notes / "loop").symlink_to(notes)
    (notes / "link.md").symlink_to(outside)
    records, problems = read(notes)
    assert contents(records) == ["mine"]
    assert problems == [ImportProblem(str(notes / "link.md"), 0, "is a symbolic link, which is not followed")]


def test_a_folder_without_end_is_cut_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(markdown, "FOLDER_FILES_MAX", 2)
    for name in "abc":
        write(tmp_path, f"{name}.md", name)
    records, problems = read(tmp_path)
    assert contents(records) == ["a", "b"]
    assert problems == [ImportProblem(str(tmp_path), 0, "has more than 2 files; the rest was left out")]


def test_an_empty_folder_holds_nothing(tmp_path):
    assert read(tmp_path) == ([], [])
