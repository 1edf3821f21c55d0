"""The chapters that one machine shows by itself: remembering, identity, time, merging, recall, change, forgetting."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.table import Table

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.cli.demo.stage import SPACE, Stage, get, short
from chrysalis_memory.data import harbour_memories, harbour_questions

_QUESTIONS_SHOWN = 6


def remember(stage: Stage) -> None:
    stage.chapter("1  Remember", "Words are stored as they were said, signed, and on disk when the call returns.")
    records = harbour_memories()
    for name in ("scribe", "builder"):
        own = [record for record in records if record["metadata"]["agent"] == name]
        with stage.open(name) as memory:
            began = perf_counter()
            for record in own:
                memory.remember(**record)
            each_ms = (perf_counter() - began) * 1000 / len(own)
            stage.show(f"{name:<8} remembered {len(own)} memories, {each_ms:.1f} ms each")
    with stage.open("scribe") as memory:
        kept = memory.stats().memories
        wanted = sum(record["metadata"]["agent"] == "scribe" for record in records)
        stage.check(kept == wanted, f"closed and opened again: all {kept} memories of scribe are there")


def identity(stage: Stage) -> None:
    stage.chapter("2  Identity", "Every write carries a fingerprint (SHA-384) and its author's signature (Ed25519).")
    with stage.open("scribe") as memory:
        first = get(memory, "purpose")
        stage.show(
            f"memory       {first.id}: “{short(first.content)}”",
            f"author       {first.author[:32]}…",
            f"fingerprint  {first.fingerprint[:32]}…",
            f"signature    {first.signature[:32]}…",
        )
        result = memory.verify()
        stage.check(bool(result), f"all {result.operations} signatures, hashes and links of the log hold")


def time(stage: Stage) -> None:
    stage.chapter("3  Time", "Order comes from cause, not from clocks: Lamport times, and vector clocks made of them.")
    with stage.open("builder") as memory:
        oldest, *_, newest = memory.range(None, None)
        for one in (oldest, newest):
            stage.show(f"Lamport {one.logical_time.lamport:>3}  “{short(one.content)}”")
        before = oldest.logical_time.happens_before(newest.logical_time)
        stage.check(before, "the first happened before the last")
        stage.check(not newest.logical_time.happens_before(oldest.logical_time), "and not the other way round")


def merge(stage: Stage) -> None:
    stage.chapter("4  Merge", "Both machines change one memory unknown to each other, then exchange their logs.")
    with stage.open("scribe") as scribe, stage.open("builder") as builder:
        _exchange(stage, scribe, builder)
        scribe.update(
            "purpose", content=get(scribe, "purpose").content + " Swimmers use it too.", add_tags=["swimmers"]
        )
        builder.update("purpose", content=get(builder, "purpose").content + " It has no adverts.", add_tags=["adverts"])
        _exchange(stage, scribe, builder)
        mine, theirs = get(scribe, "purpose"), get(builder, "purpose")
        stage.show(f"both read   “…{mine.content[-40:]}”", f"tags        {', '.join(mine.tags)}")
        stage.check((mine.content, mine.tags) == (theirs.content, theirs.tags), "both machines read the same")
        stage.check({"swimmers", "adverts"} <= set(mine.tags), "no tag was lost")
        losers = scribe.conflicts("purpose").get("content", [])
        stage.check(len(losers) == 1, "the other wording is kept as a conflict that anyone can see and settle")
        before = scribe.stats().operations
        _exchange(stage, scribe, builder)
        stage.check(scribe.stats().operations == before, "exchanging once more changes nothing")


def _exchange(stage: Stage, one: ChrysalisMemory, other: ChrysalisMemory) -> None:
    for giver, taker in ((one, other), (other, one)):
        bundle = stage.folder / f"from-{giver.agent_id}.bundle"
        giver.export(bundle)
        report = taker.import_(bundle)
        if report.failed:
            stage.check(False, f"{taker.agent_id} takes in all that {giver.agent_id} sent: {report.failed[0].what}")


def recall(stage: Stage) -> None:
    stage.chapter("5  Recall", "Questions as people ask them; the builder now answers from what both agents heard.")
    table = Table(show_edge=False, box=None, padding=(0, 2), pad_edge=True)
    table.add_column("question", style="bold")
    table.add_column("answer found")
    table.add_column("place", justify="right")
    right = 0
    # What is left of a line beside the longest question, so that no row takes two.
    room = min(50, max(20, stage.out.width - 56))
    questions = _asked(stage)
    with stage.open("builder", embedder=stage.embedder) as memory:
        memory.flush()
        for number, question in enumerate(questions):
            hits = enumerate(memory.recall(question["question"], k=5), 1)
            answers = [(place, hit.content) for place, hit in hits if hit.id in question["answers"]]
            right += bool(answers)
            if number < _QUESTIONS_SHOWN and answers:
                place, content = answers[0]
                table.add_row(question["question"], short(content, room), str(place))
        stage.show(table)
        stage.check(
            right == len(questions), f"{right} of {len(questions)} questions have their answer in the first five"
        )
        silent = [not memory.recall(question, threshold="balanced") for question in _unanswered()]
        stage.check(
            all(silent), f"to {len(silent)} questions that nobody answered, recall above “balanced” gives nothing"
        )
        _context(stage, memory)


def _context(stage: Stage, memory: ChrysalisMemory) -> None:
    """An answer that holds no word of what is asked later."""
    memory.remember("Which colour shall the warning bar have?", thread="posters", speaker="Tomasz")
    answer = memory.remember("Orange, so that I can see it too.", thread="posters", speaker="Ines")
    found = [hit for hit in memory.recall("What colour is the warning bar?", k=3) if hit.id == answer.id]
    for hit in found:
        stage.show("asked       “What colour is the warning bar?”", f"found       “{hit.content}”")
        stage.show(*(f"{label:<12}{reason}" for label, reason in _labelled("because", hit.why.split("; "))))
    stage.check(bool(found), "an answer is found by the question before it, without a word in common")


def _labelled(label: str, lines: list[str]) -> list[tuple[str, str]]:
    return [("" if number else label, line) for number, line in enumerate(lines)]


def _asked(stage: Stage) -> list[dict[str, Any]]:
    """Questions in the words of their answers and, where there is a model, in other words first."""
    kinds = ("plain",) if stage.embedder == "none" else ("paraphrase", "plain")
    return [question for kind in kinds for question in harbour_questions() if question["kind"] == kind]


def _unanswered() -> list[str]:
    return [question["question"] for question in harbour_questions() if not question["answers"]]


def change(stage: Stage) -> None:
    stage.chapter("6  Change", "An update replaces what is read; the history keeps who said what, and when.")
    with stage.open("scribe") as memory:
        memory.update("first-date", content="Tidewatch goes live on Monday, 18 May.", add_tags=["corrected"])
        history = memory.history("first-date")
        for revision in history:
            stage.show(f"Lamport {revision.lamport:>3}  {revision.agent_id:<8} “{short(revision.changes['content'])}”")
        stage.check(len(history) == 2, "both wordings are in the history, each signed")
        then = memory.recall("When does Tidewatch go live?", as_of=history[0].at, k=20)
        old = [hit.memory.content for hit in then if hit.memory.id == "first-date"]
        stage.check(any("4 May" in content for content in old), "asked as of that day, recall gives the old date")


def tamper(stage: Stage) -> None:
    stage.chapter("7  Tampering", "Somebody alters a byte on the way, and a row in the database file itself.")
    bundle = stage.folder / "from-scribe.bundle"
    altered = stage.folder / "altered.bundle"
    data = bundle.read_bytes()
    place = data.index(b"Swimmers")
    altered.write_bytes(data[:place] + b"Sharkers" + data[place + 8 :])
    with ChrysalisMemory(stage.store("stranger"), agent_id="stranger", space=SPACE, embedder="none") as memory:
        report = memory.import_(altered)
        stage.show(*(f"refused     {problem.what}" for problem in report.failed[:2]))
        stage.check(bool(report.failed), "the altered operation is refused, by name")
        stage.check(not memory.recall("Sharkers"), "its words are in no answer")
    copy = stage.store("copy")
    with stage.open("scribe") as memory:
        memory.export(stage.folder / "whole.bundle")
    with ChrysalisMemory(copy, agent_id="copy", space=SPACE, embedder="none") as memory:
        memory.import_(stage.folder / "whole.bundle")
    database = sqlite3.connect(copy / "chrysalis.db")
    with database:
        database.execute("UPDATE memory SET content = 'The ferry needs no water at all.' WHERE id = 'depth-rule'")
    database.close()
    with ChrysalisMemory(copy, agent_id="copy", space=SPACE, embedder="none") as memory:
        result = memory.verify()
        stage.show(*(f"found       {problem.where}: {problem.what}" for problem in result.problems[:2]))
        stage.check(not result, "verify names the row that was altered behind our back")
        memory.rebuild()
        stage.check(bool(memory.verify()), "rebuilt from the signed log, all holds again")


def forget(stage: Stage) -> None:
    stage.chapter("8  Forget", "A password was told to an agent. Forgetting erases words, not just the way to them.")
    secret = b"heron-lantern-4471"
    before = _files_with(stage.store("builder"), secret)
    with stage.open("builder") as memory:
        memory.forget("secret", reason="a password", withdraw=True)
    after = _files_with(stage.store("builder"), secret)
    stage.show(f"before      in {', '.join(before)}", f"after       in {', '.join(after) or 'no file'}")
    stage.check(bool(before) and not after, "the bytes are in no file of the store any more")
    with stage.open("builder") as builder, stage.open("scribe") as scribe:
        stage.check(bool(builder.verify()), "every chain of signatures still holds")
        _exchange(stage, builder, scribe)
        gone = scribe.get("secret") is None
    gone = gone and not _files_with(stage.store("scribe"), secret)
    stage.check(gone, "the other machine forgot it too, with the next exchange")
    with stage.open("builder") as memory:
        memory.import_(stage.folder / "whole.bundle")
        stage.check(memory.get("secret") is None, "an old copy of the log does not bring it back")


def _files_with(folder: Path, words: bytes) -> list[str]:
    # Only of stores that are closed: reading such a file beside an open store would take that store's locks away.
    return [file.name for file in sorted(folder.iterdir()) if file.is_file() and words in file.read_bytes()]
