"""The documents are true: their examples run, their links lead somewhere, what they name exists."""

import inspect
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from chrysalis_memory import ChrysalisMemory, Config

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

ROWS = {"A": 12, "B": 16, "C": 6, "D": 12, "E": 10}


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.DOTALL | re.MULTILINE)


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def in_backticks(text):
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


# Examples.


@pytest.mark.parametrize("name", ["README.md", "docs/context.md", "docs/ghost.md", "docs/guide.md", "docs/models.md"])
def test_python_examples_run_in_the_order_in_which_they_stand(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(name, "python")
    assert found
    shared = {"__name__": "example"}
    for block in found:
        exec(compile(block, name, "exec"), shared)


@pytest.mark.skipif(shutil.which("bash") is None, reason="the examples are for a POSIX shell")
def test_examples_of_the_command_line_run(tmp_path, monkeypatch):
    monkeypatch.setenv("CHRYSALIS_STORE", str(tmp_path / "store"))
    found = [block for block in blocks("README.md", "sh") if block.startswith("chrysalis ")]
    assert found
    for block in found:
        script = f'chrysalis() {{ "{sys.executable}" -m chrysalis_memory.cli "$@"; }}\n{block}'
        done = subprocess.run(["bash", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


def test_the_readme_names_the_command_that_passes_the_tests():
    command = re.search(r"<!-- test command -->\n```sh\n(.*?)\n```", text_of("README.md"), re.DOTALL)
    assert command is not None
    assert "pip install '.[test]'" in command[1]
    assert "pytest" in command[1]


# Links and names.


def anchors(path):
    titles = re.findall(r"^#+ (.+)$", without_blocks(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", NAMES)
def test_links_between_documents_lead_somewhere(name):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text_of(name))):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = (ROOT / name).parent / target if target else ROOT / name
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_named_exist(name):
    top = r"(?:crates|python|tests|docs|fuzz|benchmarks)/"
    named = {found.split("::")[0] for found in in_backticks(text_of(name)) if re.match(top, found)}
    assert [found for found in sorted(named) if not (ROOT / found).exists()] == []


def defines(path, test):
    return re.search(rf"\b(?:fn|def) {test}\(", path.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize("name", NAMES)
def test_tests_that_are_named_exist(name):
    sources = {path: path.name for folder in ("crates", "tests") for path in (ROOT / folder).rglob("*.[pr][ys]")}
    missing = []
    for file, test in re.findall(r"`([\w./]+\.(?:rs|py))::(\w+)`", text_of(name)):
        found = [path for path, file_name in sources.items() if file_name == Path(file).name and path.match(file)]
        if not any(defines(path, test) for path in found):
            missing.append(f"{file}::{test}")
    assert missing == []


@pytest.mark.parametrize("name", NAMES)
def test_no_document_names_a_path_of_somebody_s_machine(name):
    assert re.findall(r"(?<![\w.])/(?:home|root|tmp|Users|mnt|opt)/\S*", text_of(name)) == []


def test_the_map_shows_every_room():
    rooms = []
    for folder, pattern in [
        ("crates/core/src", "*.rs"),
        ("crates/core/src/merge", "*.rs"),
        ("crates/store/src", "*.rs"),
        ("crates/python/src", "*.rs"),
        ("python/chrysalis_memory", "*.py"),
    ]:
        found = [path for path in (ROOT / folder).glob(pattern) if path.name not in {"lib.rs", "mod.rs"}]
        rooms += [(folder, path.name) for path in found]
        rooms += [(folder, f"{path.name}/") for path in (ROOT / folder).iterdir() if (path / "mod.rs").exists()]
    architecture = text_of("ARCHITECTURE.md")
    assert [room for room in rooms if not re.search(rf"[`/]{re.escape(room[1])}", architecture)] == []


def test_files_on_the_map_exist():
    rooms = re.split(r"^### ", text_of("ARCHITECTURE.md"), flags=re.MULTILINE)[1:]
    missing = []
    for room in rooms:
        base = re.match(r"`([^`]+)`|", room)[1] or ""
        named = re.findall(r"`([\w./]+(?:/|\.\w+))`", room)
        missing += [name for name in named if not (ROOT / base / name).exists()]
    assert missing == []


# Claims.


def test_every_row_of_the_requirements_has_its_place():
    wanted = [f"{letter}{number}" for letter, count in ROWS.items() for number in range(1, count + 1)]
    rows = re.findall(r"^\| ([A-E]\d+) \| .+? \| (yes|partly|not yet) \| .*\|$", text_of("docs/specs.md"), re.MULTILINE)
    assert [row for row, _ in rows] == wanted


def test_rows_that_hold_say_where_and_by_which_test():
    rows = re.findall(r"^\| ([A-E]\d+) \| .+? \| (yes|partly) \| (.*) \|$", text_of("docs/specs.md"), re.MULTILINE)
    assert [row for row, _, where in rows if "`" not in where] == []


def test_the_guide_has_every_setting_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text_of("docs/guide.md"), re.MULTILINE))
    defaults = {field.name: str(field.default) if field.default != "full" else '"full"' for field in fields(Config)}
    assert rows == defaults


def test_the_guide_has_every_method():
    guide = text_of("docs/guide.md")
    methods = [name for name, _ in inspect.getmembers(ChrysalisMemory, callable) if not name.startswith("_")]
    assert [name for name in methods if not re.search(rf"\b{name}\(", guide)] == []


def test_every_dependency_has_a_reason():
    design = text_of("docs/design.md")
    workspace = text_of("Cargo.toml").split("[workspace.dependencies]")[1].split("\n\n")[0]
    crates = [name for name in re.findall(r"^([\w-]+) = ", workspace, re.MULTILINE) if not name.startswith("chrysalis")]
    listed = re.findall(r"^(?:dependencies|local|test|bench|dev) = \[(.*?)\]$", text_of("pyproject.toml"), re.MULTILINE)
    packages = [name for line in listed for name in re.findall(r'"([\w-]+)', line) if name != "chrysalis-memory"]
    assert len(crates) > 5
    assert len(packages) > 5
    assert [name for name in crates + packages if f"`{name}`" not in design] == []


def test_the_format_document_has_every_column_of_the_store():
    schema = re.sub(r"--.*", "", text_of("crates/store/src/schema.rs"))
    document = text_of("docs/format.md")
    tables = re.findall(r"CREATE TABLE (\w+)\(\n(.*?)\n\)", schema, re.DOTALL)
    assert len(tables) > 15
    for table, body in tables:
        columns = re.findall(r"^    (\w+) (?:INTEGER|TEXT|BLOB)", body, re.MULTILINE)
        row = "| `{}` | {} |".format(table, ", ".join(f"`{name}`" for name in columns))
        assert row in document, row


def test_the_targets_that_contributors_are_told_exist():
    told = set(re.findall(r"make ([a-z-]+)", "\n".join(in_backticks(text_of("CONTRIBUTING.md")))))
    told |= set(re.findall(r"^make ([a-z-]+)", text_of("CONTRIBUTING.md"), re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    assert told - targets == set()
    assert targets - told - {"help"} == set()
