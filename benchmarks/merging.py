"""Merging what was edited apart, and verifying what was signed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import chrysalis_memory
from benchmarks.ground import Ground
from benchmarks.row import Figure, Row, rate, time_of
from benchmarks.timing import Race, race
from chrysalis_memory import verify_signature

__all__ = ["core", "documents", "sets", "verifying"]

_ELEMENTS = 1_000
_CONTENT = "The user prefers short answers. " * 9
_TAGS = ("language", "preference")

# RFC 8032, section 7.1, test 3: any signature costs the same to check.
_KEY = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
_MESSAGE = bytes.fromhex("af82")
_SIGNATURE = (
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def documents(ground: Ground) -> list[Row]:
    """Two copies of a memory whose words, tags and scores were changed on both sides become one."""
    left, right = _our_copies()
    rows = []
    for name, make in (("pycrdt", _pycrdt_merges), ("loro", _loro_merges)):
        merges = _found(ground, name, make)
        if merges is not None:
            timed = _race_to_merge(ground, lambda: left.merge(right), merges)
            rows.append(_document_row(name, timed))
    return rows


def _race_to_merge(ground: Ground, ours: Callable[[], object], merges: Callable[[], Callable[[], object]]) -> Race:
    rounds, calls = ground.rounds, 100 if ground.quick else 1_000
    prepared: Iterator[Callable[[], object]] = iter([merges() for _ in range(rounds * calls + 1)])
    return race(ours, lambda: next(prepared)(), rounds=rounds, calls=calls)


def _document_row(name: str, timed: Race) -> Row:
    goal, met = ("half of pycrdt", timed.ratio <= 0.5) if name == "pycrdt" else ("", None)
    figures = (time_of(timed.ours), time_of(timed.yardstick))
    note = "theirs unsigned, with the other's changes in hand"
    return Row("document merge, from Python", *figures, name, timed.ratio, goal, met, note)


def _found(ground: Ground, name: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ImportError:
        ground.say(f"{name} is not installed: left out")
        return None


def _our_copies() -> tuple[Any, Any]:
    """Two copies of one memory, each changed by its owner."""
    base = chrysalis_memory.MemoryDocument("memory", _CONTENT, "semantic", "origin")
    for tag in _TAGS:
        base.add_tag(tag)
    return _our_copy(base, "left", 0.6), _our_copy(base, "right", 0.7)


def _our_copy(base: Any, name: str, importance: float) -> Any:
    copy = chrysalis_memory.MemoryDocument.from_bytes(base.to_bytes(), name)
    copy.set_content(f"{name} says so. {_CONTENT}")
    copy.add_tag(name)
    copy.set_importance(importance)
    return copy


def _pycrdt_merges() -> Callable[[], Callable[[], object]]:
    from pycrdt import Doc, Map

    def changed(base: bytes | None, name: str, importance: float) -> Any:
        doc: Any = Doc()
        if base is not None:
            doc.apply_update(base)
        root = doc.get("memory", type=Map)
        with doc.transaction():
            if base is None:
                root["content"], root["memory_type"] = _CONTENT, "semantic"
                root["tags"], root["importance"] = Map(dict.fromkeys(_TAGS, True)), Map({})
            else:
                root["content"] = f"{name} says so. {_CONTENT}"
                root["tags"][name] = True
                root["importance"][name] = importance
        return doc

    base = changed(None, "origin", 0.5).get_update()
    state_of_base = Doc()
    state_of_base.apply_update(base)
    delta = changed(base, "right", 0.7).get_update(state_of_base.get_state())

    def prepare() -> Callable[[], object]:
        left = changed(base, "left", 0.6)
        return lambda: left.apply_update(delta)

    return prepare


def _loro_merges() -> Callable[[], Callable[[], object]]:
    from loro import ExportMode, LoroDoc, LoroMap

    def changed(base: bytes | None, name: str, importance: float) -> Any:
        doc = LoroDoc()
        if base is not None:
            doc.import_(base)
        root = doc.get_map("memory")
        if base is None:
            root.insert("content", _CONTENT)
            root.insert("memory_type", "semantic")
            tags = root.insert_container("tags", LoroMap())
            for tag in _TAGS:
                tags.insert(tag, True)
            root.insert_container("importance", LoroMap())
        else:
            root.insert("content", f"{name} says so. {_CONTENT}")
            root.get("tags").container.insert(name, True)
            root.get("importance").container.insert(name, importance)
        doc.commit()
        return doc

    origin = changed(None, "origin", 0.5)
    base = origin.export(ExportMode.Snapshot())
    delta = changed(base, "right", 0.7).export(ExportMode.Updates(origin.oplog_vv))

    def prepare() -> Callable[[], object]:
        left = changed(base, "left", 0.6)
        return lambda: left.import_(delta)

    return prepare


def sets(ground: Ground) -> list[Row]:
    """The union of two grow-only sets of a thousand, a third of it shared."""
    theirs = [{f"element {number * step:08}" for number in range(_ELEMENTS)} for step in (2, 3)]
    ours = []
    for elements in theirs:
        made = chrysalis_memory.GSet()
        for element in sorted(elements):
            made.add(element)
        ours.append(made)
    timed = race(
        lambda: ours[0].merge(ours[1]),
        lambda: theirs[0] | theirs[1],
        rounds=ground.rounds,
        calls=50 if ground.quick else 500,
    )
    met = timed.ours.p50 <= 15e-6
    figures = (time_of(timed.ours), time_of(timed.yardstick))
    return [Row("G-Set merge of 1,000, from Python", *figures, "a Python set", timed.ratio, "15 µs", met)]


def core(ground: Ground) -> list[Row]:
    """The same in the core, without Python: asked of the example that comes with it, where there is a Rust compiler."""
    root = Path(__file__).parent.parent
    if shutil.which("cargo") is None or not (root / "Cargo.toml").exists():
        ground.say("no Rust compiler or no sources: merging in the core is left out")
        return []
    command = ["cargo", "run", "--quiet", "--release", "-p", "chrysalis-core", "--example", "merge_speed"]
    said = json.loads(subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True, text=True).stdout)
    goals = (
        ("document merge, in the core", "document_merge_ns", 1e-6, "1 µs"),
        ("G-Set merge of 1,000, a third shared", "set_merge_third_shared_ns", 15e-6, "15 µs"),
    )
    return [
        Row(what, Figure(said[name] * 1e-9, "s"), None, "", None, goal, said[name] * 1e-9 <= most)
        for what, name, most, goal in goals
    ]


def verifying(ground: Ground) -> list[Row]:
    """Every signature, link, commitment and view of a store, beside the signature checks alone on all cores."""
    filled = ground.filled(ground.small)
    seconds, alone, ratios = [], [], []
    operations = 0
    for _ in range(2 if ground.quick else 5):
        started = time.perf_counter()
        verified = filled.memory.verify()
        seconds.append(time.perf_counter() - started)
        if not verified:
            raise RuntimeError(f"the store does not verify: {verified.problems}")
        operations = verified.operations
        alone.append(_checks_alone(operations))
        ratios.append(seconds[-1] / alone[-1])
    ratio = median(ratios)
    figures = (rate(operations / median(seconds)), rate(operations / median(alone)))
    note = "ratio of times"
    return [
        Row(
            f"verify {operations:,} operations", *figures, "strict checks, all cores", ratio, "1.2x", ratio <= 1.2, note
        )
    ]


def _checks_alone(count: int) -> float:
    """Seconds for so many strict checks by as many threads as there are cores; checking lets go of the interpreter."""
    workers = os.cpu_count() or 1
    key, signature = bytes.fromhex(_KEY), bytes.fromhex(_SIGNATURE)

    def check() -> None:
        for _ in range(count // workers):
            if not verify_signature(key, _MESSAGE, signature):
                raise RuntimeError("a good signature was refused")

    running = [threading.Thread(target=check) for _ in range(workers)]
    started = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return time.perf_counter() - started
