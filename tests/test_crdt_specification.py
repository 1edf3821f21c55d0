"""The snippets of specification C, word for word."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

LOW_LEVEL = """
from chrysalis_memory import (
    GSet, ORSet, LWWRegister,
    MemoryDocument, MemoryStorage
)

# CRDT operations
tags = GSet()
tags.add("important")
tags.add("learning")

other_tags = GSet()
other_tags.add("learning")
other_tags.add("crdt")

# Merge is commutative, associative, idempotent
merged = tags.merge(other_tags)
print(merged.elements())  # ['important', 'learning', 'crdt']

# Memory documents with CRDT semantics
memory = MemoryDocument(
    id="mem-1",
    content="Learning about distributed systems",
    memory_type="semantic",
    source_instance="agent-001"
)

memory.add_tag("distributed")
memory.set_importance(0.9, "agent-001")

# Persistent storage
storage = MemoryStorage("./data/memory.db", "agent-001")
storage.put(memory)

# Merge happens automatically on put
other_memory = MemoryDocument(
    id="mem-1",  # Same ID
    content="Learning about CRDT",
    source_instance="agent-002"
)
other_memory.add_tag("crdt")
storage.put(other_memory)  # CRDT merge

# Result has both tags, latest content
merged = storage.get("mem-1")
print(merged.get_tags())  # ['distributed', 'crdt']
"""

HIGH_LEVEL = """
import asyncio
from chrysalis_memory import AgentMemory

async def main():
    async with AgentMemory("my-agent") as memory:
        # Learn something
        mem_id = await memory.learn(
            "The user prefers Python over JavaScript",
            importance=0.9,
            tags=["preference", "language"]
        )

        # Recall relevant memories
        results = await memory.recall(
            "What programming language does the user like?",
            k=5
        )

        for m in results:
            print(f"- {m.content} (importance={m.get_importance():.2f})")

asyncio.run(main())
"""

WITH_EMBEDDINGS = '''
import httpx
from chrysalis_memory import AgentMemory

async def embed_with_ollama(text: str) -> list[float]:
    """Generate embedding using Ollama."""
    async with httpx.AsyncClient() as client:
        response = await client.post(
            "http://localhost:11434/api/embeddings",
            json={"model": "nomic-embed-text", "prompt": text}
        )
        return response.json()["embedding"]

async def main():
    memory = AgentMemory("my-agent", embedding_fn=embed_with_ollama)
    await memory.start()

    try:
        # Learn with embedding
        await memory.learn("Python is great for AI")
        await memory.learn("Rust is fast and safe")
        await memory.learn("JavaScript runs in browsers")

        # Semantic search
        results = await memory.recall("best language for performance")
        for m in results:
            print(f"- {m.content}")
    finally:
        await memory.stop()

asyncio.run(main())
'''


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """The snippets write where they run and in the user's data folder: both are the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data folder"))


def run(snippet):
    names = {"__name__": "__main__"}
    exec(compile(snippet, "<specification C>", "exec", dont_inherit=True), names)
    return names


def test_the_low_level_snippet_runs_word_for_word(capsys):
    names = run(LOW_LEVEL)
    assert capsys.readouterr().out == "['crdt', 'important', 'learning']\n['crdt', 'distributed']\n"
    merged = names["merged"]
    assert merged.content == "Learning about CRDT"
    assert (merged.memory_type, merged.get_importance(), merged.source_instance) == ("semantic", 0.9, "agent-001")
    names["storage"].close()


def test_the_high_level_snippet_runs_word_for_word(capsys):
    run(HIGH_LEVEL)
    assert capsys.readouterr().out == "- The user prefers Python over JavaScript (importance=0.90)\n"


class Embeddings(BaseHTTPRequestHandler):
    """Speaks the protocol that the snippet speaks: a vector has a place for each word it knows."""

    WORDS = ("python", "rust", "javascript", "fast", "ai", "browsers")

    def do_POST(self):
        prompt = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
        words = prompt.lower().replace("performance", "fast").split()
        answer = json.dumps({"embedding": [float(word in words) for word in self.WORDS]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing."""


@contextmanager
def embeddings():
    with ThreadingHTTPServer(("127.0.0.1", 0), Embeddings) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(timeout=30)


def test_the_snippet_with_embeddings_runs_with_nothing_but_its_address_changed(capsys):
    with embeddings() as address:
        # The snippet goes on from the one before it, which has imported asyncio.
        run("import asyncio" + WITH_EMBEDDINGS.replace("http://localhost:11434", address))
    assert capsys.readouterr().out.splitlines()[0] == "- Rust is fast and safe"
