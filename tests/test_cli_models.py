"""`chrysalis models`: what there is, installing, changing and dropping."""

import pytest

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.embedding import CallableEmbedder, LocalEmbedder
from embedding_server import running, status
from memory_cases import bag_of_words

LOCAL = LocalEmbedder().name


@pytest.fixture
def served(harbour, monkeypatch):
    """The demonstration's memories, and a server of embeddings."""
    with running() as server:
        monkeypatch.setenv("CHRYSALIS_EMBEDDER_URL", server.url)
        yield harbour, server


@pytest.mark.usefixtures("local_model")
def test_list_says_what_can_be_used(chrysalis):
    (row,) = chrysalis("models", "list", "--json").json
    assert (row["name"], row["state"], row["dimensions"], row["lacks"]) == (LOCAL, "ready", 384, "")
    assert row["bytes"] > 90_000_000
    assert LOCAL in chrysalis("models", "list", terminal=True).out


def test_list_says_what_is_lacking(chrysalis, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    (row,) = chrysalis("models", "list", "--json").json
    assert row["state"] == "not installed"
    assert "chrysalis models install" in row["lacks"]
    assert "chrysalis models install" in chrysalis("models", "list", terminal=True).out


def test_install_takes_a_folder(chrysalis, local_model, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    done = chrysalis("models", "install", "--from", str(local_model), "--json")
    assert (done.code, done.json["ready"], done.json["name"]) == (0, True, LOCAL)
    assert done.json["folder"].startswith(str(tmp_path))
    assert chrysalis("models", "install").code == 0


def test_install_refuses_another_file_with_both_digests(chrysalis, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    wrong = tmp_path / "wrong.whl"
    wrong.write_bytes(b"wrong")
    done = chrysalis("models", "install", "--from", str(wrong), "--json")
    assert (done.code, done.error["code"]) == (3, "model_damaged")
    assert done.error["found"] != done.error["wanted"]


@pytest.mark.usefixtures("local_model")
def test_test_embeds_and_measures(chrysalis):
    found = chrysalis("models", "test", "--json").json
    assert (found["name"], found["dimensions"]) == (LOCAL, 384)
    assert found["cosine_of_answer"] > found["cosine_of_other"] + 0.2


def test_use_embeds_anew_and_drops_the_vectors_of_before(served):
    harbour, _ = served
    with ChrysalisMemory(harbour.store, space="default", embedder=CallableEmbedder(bag_of_words, name="old")) as memory:
        memory.flush()
        memories = memory.stats().memories
    done = harbour("models", "use", "ollama:nomic-embed-text", "--json")
    assert done.json == {
        "embedder": "ollama:nomic-embed-text",
        "memories": memories,
        "dropped": {"old": memories},
    }
    rows = harbour("models", "list", "--json").json[1:]
    assert [(row["name"], row["state"], row["memories"]) for row in rows] == [
        ("ollama:nomic-embed-text", "in use", memories)
    ]


def test_list_says_how_many_memories_wait_and_how_vectors_are_searched(harbour):
    with ChrysalisMemory(harbour.store, space="default", embedder=CallableEmbedder(bag_of_words, name="old")) as memory:
        memory.flush()
        memories = memory.stats().memories
    harbour("remember", "The new crane has no papers yet")
    harbour("remember", "Its driver neither")
    row = harbour("models", "list", "--json").json[-1]
    assert (row["pending"], row["vectors"], row["search"]) == (2, memories, "exact")
    assert (row["indexed"], row["indexing"]) == (0, None)
    shown = harbour("models", "list", terminal=True).out
    assert f"{memories}, 2 wait" in shown
    assert f"{memories}, exact" in shown
    assert harbour("models", "list").rows[-1][4:8] == [str(memories), "2", str(memories), "exact"]


def test_use_keeps_the_others_on_request_and_drop_erases_them(served):
    harbour, _ = served
    assert harbour("models", "use", "ollama:one").code == 0
    assert harbour("models", "use", "ollama:two", "--keep").code == 0
    states = [(row["name"], row["state"]) for row in harbour("models", "list", "--json").json[1:]]
    assert states == [("ollama:one", "may be dropped"), ("ollama:two", "in use")]
    assert harbour("models", "drop", "ollama:one", "--json").json["memories"] > 50
    assert harbour("models", "drop", "ollama:one").code == 1
    assert [row["name"] for row in harbour("models", "list", "--json").json[1:]] == ["ollama:two"]


def test_use_of_a_server_that_is_away_or_refuses_is_an_error_with_a_hint(served):
    harbour, server = served
    server.faults = [status(404)] * 10
    done = harbour("models", "use", "ollama:unknown", "--json")
    assert (done.code, done.error["code"]) == (3, "model_missing")
    assert "ollama pull" in done.error["hint"]
    assert harbour("models", "use", "nonsense").code == 2
    assert harbour("models", "list", "--json").json[1:] == []


def test_the_key_comes_from_the_environment_and_is_not_shown(served, monkeypatch):
    harbour, server = served
    monkeypatch.setenv("CHRYSALIS_EMBEDDER_KEY", "sk-secret")
    monkeypatch.setenv("CHRYSALIS_EMBEDDER_URL", f"{server.url}/v1")
    done = harbour("models", "use", "openai:any", "--json")
    assert done.code == 0, done.err
    assert set(server.keys) == {"Bearer sk-secret"}
    assert "sk-secret" not in done.out + done.err


def test_the_demonstration_goes_by_words_where_the_model_cannot_be_fetched(chrysalis, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    done = chrysalis("demo", terminal=True)
    assert done.code == 0
    assert "Recall goes by words alone" in done.out
    assert "8 of 8 questions" in done.out
    assert "follows a question that fits" in done.out


@pytest.mark.usefixtures("local_model")
def test_the_demonstration_asks_in_other_words_with_the_model(chrysalis):
    done = chrysalis("demo", terminal=True)
    assert done.code == 0
    assert "16 of 16 questions" in done.out
    assert "2 questions that nobody answered" in done.out
    assert "follows a question that fits" in done.out


def test_a_name_that_looks_like_markup_is_shown_as_it_is(harbour):
    name = "[/mine] [red]"
    with ChrysalisMemory(harbour.store, space="default", embedder=CallableEmbedder(bag_of_words, name=name)) as memory:
        memory.flush()
    shown = harbour("models", "list", terminal=True)
    assert (shown.code, name in shown.out) == (0, True)
