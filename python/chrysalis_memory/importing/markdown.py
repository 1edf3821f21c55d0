"""Markdown files and folders of them: one memory for each section under a heading.

The memory keeps its heading line and its words as they stand; its thread is the file, its metadata the path of
headings above it. Its id comes from file name, headings and words, not from the time of the file: an edited section
becomes a new memory, an untouched one stays the one it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from chrysalis_memory.importing.front_matter import Fields, as_list, split_front_matter
from chrysalis_memory.importing.limits import DOCUMENT_BYTES_MAX, FOLDER_FILES_MAX
from chrysalis_memory.importing.record import (
    BadRecord,
    Record,
    content_of,
    derived_id,
    in_parts,
    moment_of,
    name_of,
    names_of,
)
from chrysalis_memory.importing.text import Unreadable, read_text
from chrysalis_memory.records import ImportProblem

SUFFIXES = (".md", ".markdown", ".mdown", ".mkd")

_HEADING = re.compile(r" {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{3,})\s*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


class Section(NamedTuple):
    """The text from one heading to the next, the headings that it stands under, and its first line."""

    headings: tuple[str, ...]
    text: str
    line: int


def read_markdown(path: Path) -> Iterator[Record | ImportProblem]:
    """The sections of one file, or of every Markdown file of a folder and the folders in it, in order of name."""
    if not path.is_dir():
        yield from _read_file(path, path.name)
        return
    for item in _files(path):
        if isinstance(item, ImportProblem):
            yield item
        else:
            yield from _read_file(item, item.relative_to(path).as_posix())


def sections(text: str, line: int = 1) -> Iterator[Section]:
    """The sections of a Markdown text, in order; one that is a heading and nothing else is left to those below it."""
    headings: list[tuple[int, str]] = []
    body: list[str] = []
    begin = line
    for number, (level, title, source) in enumerate(_marked_lines(text), line):
        if level:
            yield from _section(headings, body, begin)
            headings = [*((depth, name) for depth, name in headings if depth < level), (level, title)]
            body, begin = [], number
        body.append(source)
    yield from _section(headings, body, begin)


def _section(headings: list[tuple[int, str]], body: list[str], begin: int) -> Iterator[Section]:
    is_heading_alone = bool(headings) and not any(line.strip() for line in body[1:])
    text = "\n".join(body).strip("\n").rstrip()
    if text.strip() and not is_heading_alone:
        yield Section(tuple(name for _, name in headings), text, begin)


def _marked_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Each line with the level and title of the heading it is; level 0 for all other lines."""
    fence = ""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
            yield 0, "", line
        elif mark:
            fence = mark[1]
            yield 0, "", line
        else:
            yield (*_heading(lines, index), line)


def _heading(lines: list[str], index: int) -> tuple[int, str]:
    line = lines[index]
    if match := _HEADING.match(line):
        return len(match[1]), (match[2] or "").strip()
    following = lines[index + 1] if index + 1 < len(lines) else ""
    starts_paragraph = index == 0 or not lines[index - 1].strip()
    if starts_paragraph and re.match(r" {0,3}[^\s>#*+|-]", line) and (match := _UNDERLINE.match(following)):
        return (1 if match[1][0] == "=" else 2), line.strip()
    return 0, ""


def _read_file(path: Path, name: str) -> Iterator[Record | ImportProblem]:
    try:
        text = read_text(path, DOCUMENT_BYTES_MAX).replace("\r\n", "\n")
    except Unreadable as error:
        yield error.problem
        return
    fields, body, lines = split_front_matter(text)
    try:
        common = _common(fields, name)
    except BadRecord as error:
        yield ImportProblem(str(path), 1, f"front matter: {error}")
        return
    for section in sections(body, lines + 1):
        try:
            yield from in_parts(_record(section, name, common))
        except BadRecord as error:
            yield ImportProblem(str(path), section.line, str(error))


def _record(section: Section, name: str, common: Record) -> Record:
    metadata: dict[str, Any] = {**common["metadata"], "source": "markdown", "file": name}
    if section.headings:
        metadata["headings"] = list(section.headings)
    identity = derived_id("markdown", name, *section.headings, section.text)
    return {**common, "id": identity, "content": content_of(section.text), "metadata": metadata}


def _common(fields: Fields, name: str) -> Record:
    """What front matter says about every section of its file."""
    common: Record = {"memory_type": "knowledge", "thread": name_of(name, "file name"), "metadata": {}}
    for key, value in fields.items():
        if key in ("tags", "tag", "keywords"):
            common["tags"] = names_of(as_list(value), key)
        elif key in ("date", "created", "created_at") and isinstance(value, str):
            common["occurred_at"] = moment_of(value, key)
        elif key == "author" and isinstance(value, str):
            common["speaker"] = name_of(value, key)
        elif key in ("type", "memory_type") and isinstance(value, str):
            common["memory_type"] = name_of(value, key)
        else:
            common["metadata"][key] = value
    return common


def _files(folder: Path) -> Iterator[Path | ImportProblem]:
    count = 0
    for parent, folders, names in os.walk(folder, onerror=None, followlinks=False):
        # Hidden folders hold programs' own things (.git, .obsidian); sorted, so that every run reads alike.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.lower().endswith(SUFFIXES) or name.startswith("."):
                continue
            count += 1
            if count > FOLDER_FILES_MAX:
                yield ImportProblem(str(folder), 0, f"has more than {FOLDER_FILES_MAX} files; the rest was left out")
                return
            yield _checked(Path(parent) / name)


def _checked(path: Path) -> Path | ImportProblem:
    # A link may lead out of the folder, to what nobody meant to import.
    return ImportProblem(str(path), 0, "is a symbolic link, which is not followed") if path.is_symlink() else path
