"""The JSON interface: what it does, whom it lets in, and what it refuses."""

import contextlib
import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.hub.audit import NAME, read_audit
from chrysalis_memory.hub.http.application import ENDPOINTS
from hub_cases import is_answered, serving
from memory_cases import WITHIN_S, eventually


@pytest.fixture
def hub(tmp_path):
    with serving(tmp_path / "store", requests_per_s=10_000, requests_burst=10_000) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A hub that many refused requests may share: none of them changes anything."""
    with serving(
        tmp_path_factory.mktemp("hub"), requests_per_s=10_000, requests_burst=10_000, wrong_tokens_per_minute=1_000
    ) as running:
        yield running


def code(answer):
    return answer.json()["error"]["code"]


# What it does.


def test_a_thin_agent_remembers_recalls_changes_and_forgets(hub):
    with hub.client("write") as client:
        made = client.post("/v1/memories", json={"content": "The kiln reaches 1240 degrees", "tags": ["kiln"]})
        assert made.status_code == 201
        memory = made.json()
        assert memory["agent_id"] == "tess"
        found = client.post("/v1/recall", json={"query": "how hot does the kiln get?"}).json()
        assert [hit["memory"]["id"] for hit in found["hits"]] == [memory["id"]]
        path = f"/v1/memories/{memory['id']}"
        changed = client.patch(path, json={"content": "The kiln reaches 1260 degrees", "add_tags": ["heat"]}).json()
        assert (changed["content"], changed["tags"]) == ("The kiln reaches 1260 degrees", ["heat", "kiln"])
        assert client.get(path).json() == changed
        assert client.get("/v1/memories", params={"tags": ["kiln", "heat"]}).json() == {"memories": [changed]}
        assert client.delete(path, params={"withdraw": "true"}).json()["forgotten"] is True
        assert code(client.get(path)) == "not_found"
        assert code(client.post("/v1/memories", json={"content": "The kiln reaches 1260 degrees"})) == "not_allowed"
    assert hub.collective.woken == 3
    assert hub.desk.memory.verify()


def test_what_an_agent_says_is_on_disk_and_signed_by_the_hub(hub):
    with hub.client("write") as client:
        memory = client.post("/v1/memories", json={"content": "x", "id": "a/b c?d#e%"}).json()
        assert client.get("/v1/memories/a%2Fb%20c%3Fd%23e%25").json() == memory
    assert hub.desk.memory.get("a/b c?d#e%").author == hub.desk.memory.public_key
    with ChrysalisMemory(hub.desk.memory.path, embedder="none") as other:
        assert other.get("a/b c?d#e%").content == "x"


def test_who_writes_is_said_by_the_token_and_not_by_the_request(hub):
    with hub.client("write") as client:
        refused = client.post("/v1/memories", json={"content": "x", "agent_id": "somebody-else"})
    assert (refused.status_code, code(refused)) == (400, "misuse")


def test_lists_are_paged_and_filtered(hub):
    for number in range(5):
        hub.desk.memory.remember(f"note {number}", scope="a/b" if number % 2 else "c", importance=number / 10)
    with hub.client("read") as client:
        page = client.get("/v1/memories", params={"limit": 2, "offset": 1, "descending": "false"}).json()["memories"]
        assert [memory["content"] for memory in page] == ["note 1", "note 2"]
        scoped = client.get("/v1/memories", params={"scope": "a", "order": "importance"}).json()["memories"]
        assert [memory["content"] for memory in scoped] == ["note 3", "note 1"]


# Whom it lets in.

PUBLIC = {"/health", "/ready", "/openapi.json"}
CALLS = [(endpoint.method, endpoint.path.replace("{id}", "some"), endpoint) for endpoint in ENDPOINTS]


def call(client, method, path, endpoint):
    body = {"content": "x"} if endpoint.name in {"remember", "updateMemory"} else {"query": "x"}
    return client.request(method, path, json=body if endpoint.body is not None else None)


@pytest.mark.parametrize(("method", "path", "endpoint"), CALLS)
def test_each_endpoint_opens_to_its_right_and_to_nothing_less(hub, method, path, endpoint):
    hub.desk.memory.remember("some", id="some")
    rights = ["none", "read", "write", "admin"]
    for right in rights:
        with hub.client(None if right == "none" else right) as client:
            answer = call(client, method, path, endpoint)
        if rights.index(right) >= rights.index(endpoint.right):
            assert answer.status_code not in {401, 403}, right
        else:
            assert answer.status_code == (401 if right == "none" else 403), right
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
        # What was done stays done: a memory that was forgotten is another's not found.
        hub.desk.memory.get("some") or hub.desk.memory.remember("other", id="other")


@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer chub_0000000000000000_" + "A" * 43,
        "Basic dXNlcjpwYXNz",
        "Bearer " + "x" * 5000,
        "Bearer \xff\xfe",
        "chub_0000000000000000_" + "A" * 43,
    ],
)
def test_wrong_tokens_are_refused_even_where_none_is_needed(shared, given):
    with shared.client() as client:
        for path in ("/health", "/v1/memories", "/nothing"):
            refused = client.get(path, headers={"authorization": given.encode("latin-1")})
            assert (refused.status_code, code(refused)) == (401, "wrong_token")


def test_an_expired_token_and_one_taken_back_are_refused_at_once(hub):
    with hub.client() as client:
        assert code(client.get("/v1/status", headers=hub.token("read", lifetime_ms=1))) == "wrong_token"
        headers = hub.token("read")
        assert client.get("/v1/status", headers=headers).status_code == 200
        for token in hub.tokens.list():
            hub.tokens.take_back(token.id)
        assert code(client.get("/v1/status", headers=headers)) == "wrong_token"


def test_a_token_in_the_query_or_given_twice_is_none(hub):
    headers = hub.token("admin")
    secret = headers["authorization"][7:]
    with hub.client() as client:
        assert client.get("/v1/status", params={"access_token": secret}).status_code == 401
        twice = [("authorization", headers["authorization"])] * 2
        assert client.get("/v1/status", headers=twice).status_code == 401


def test_guessing_tokens_makes_wait(tmp_path):
    with serving(tmp_path, wrong_tokens_per_minute=3) as hub, hub.client() as client:
        wrong = {"authorization": "Bearer chub_0000000000000000_" + "A" * 43}
        statuses = [client.get("/v1/status", headers=wrong).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert client.get("/health").status_code == 200


def test_this_machine_is_let_in_without_a_token_only_if_told_and_never_a_web_page_or_a_proxy(tmp_path):
    with serving(tmp_path, loopback_right="write") as hub, hub.client() as client:
        assert client.post("/v1/memories", json={"content": "x"}).status_code == 201
        assert client.get("/v1/audit").status_code == 401
        for header in (
            {"origin": "https://evil.example"},
            {"host": "evil.example"},
            {"host": "evil.example:8082"},
            {"x-forwarded-for": "203.0.113.7"},
            {"forwarded": "for=203.0.113.7"},
        ):
            assert client.get("/v1/memories", headers=header).status_code == 401, header
        for host in ("localhost:1", "127.0.0.1", "[::1]:80"):
            assert client.get("/v1/memories", headers={"host": host}).status_code == 200


def test_a_web_page_can_neither_post_unasked_nor_read_answers(hub):
    with hub.client("write") as client:
        for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            refused = client.post("/v1/memories", content=b'{"content": "x"}', headers={"content-type": media_type})
            assert (refused.status_code, code(refused)) == (415, "no_json")
        asked = client.options("/v1/memories", headers={"origin": "https://evil.example"})
        assert asked.status_code == 405
        for answer in (asked, client.get("/health", headers={"origin": "https://evil.example"})):
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_relay_shows_no_contents_and_a_reader_writes_none(hub):
    for role, allowed in (("relay", set()), ("reader", {"listMemories", "getMemory", "recall"})):
        hub.collective.own_role = role
        with hub.client("admin") as client:
            for method, path, endpoint in CALLS:
                answer = call(client, method, path, endpoint)
                if endpoint.contents and endpoint.name not in allowed:
                    assert answer.status_code == 403, endpoint.name
                    assert code(answer) == ("relay" if role == "relay" else "not_a_writer")
                else:
                    assert answer.status_code in {200, 404}, endpoint.name


# What it refuses.


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/memories", b"", "no JSON"),
        ("/v1/memories", b"{", "no JSON"),
        ("/v1/memories", b"[]", "object"),
        ("/v1/memories", b"null", "object"),
        ("/v1/memories", b"\xff\xfe{}", "UTF-8"),
        ("/v1/memories", b"{}", "content"),
        ("/v1/memories", b'{"content": 1}', "body.content"),
        ("/v1/memories", b'{"content": ""}', "content is empty"),
        ("/v1/memories", b'{"content": "x", "importance": 2}', "body.importance"),
        ("/v1/memories", b'{"content": "x", "importance": true}', "body.importance"),
        ("/v1/memories", b'{"content": "x", "importance": NaN}', "no JSON"),
        ("/v1/memories", b'{"content": "x", "importance": 1e999}', "body.importance"),
        ("/v1/memories", b'{"content": "x", "tags": "one"}', "body.tags"),
        ("/v1/memories", b'{"content": "x", "tags": [""]}', "empty text"),
        ("/v1/memories", b'{"content": "x", "id": "a\\u0000b"}', "NUL"),
        ("/v1/memories", b'{"content": "x", "ttl": -1}', "ttl"),
        ("/v1/memories", b'{"content": "x", "occurred_at": "tomorrow"}', "occurred_at"),
        ("/v1/memories", b'{"content": "\\ud800"}', "surrogate"),
        ("/v1/memories", b'{"content": "x", "__class__": 1}', "__class__"),
        ("/v1/recall", b'{"query": "x", "k": 0}', "body.k"),
        ("/v1/recall", b'{"query": "x", "k": 1000000}', "body.k"),
        ("/v1/recall", b'{"query": "x", "ranking": "os.system"}', "body.ranking"),
        ("/v1/recall", b'{"query": "x", "k": 1' + b"0" * 5000 + b"}", "no JSON"),
        ("/v1/recall", b'{"query": ' + b"[" * 100_000 + b"}", "nested|no JSON"),
    ],
)
def test_hostile_bodies_are_answered_with_a_reason(shared, path, body, named):
    with shared.client("write") as client:
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["code"] == "misuse"
        assert any(part in error["message"] for part in named.split("|")), error["message"]
        assert error["hint"]
        assert client.get("/health").json()["status"] == "well"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=-1", "query.limit"),
        ("limit=100000", "query.limit"),
        ("limit=x", "query.limit"),
        ("limit=1&limit=2", "twice"),
        ("descending=yes", "query.descending"),
        ("order=random", "query.order"),
        ("unknown=1", "unknown"),
        ("min_importance=nan", "query.min_importance"),
        ("scope=%00", None),
        ("scope=%ff%fe", None),
        ("&".join(["tags=x"] * 101), "fields"),
    ],
)
def test_hostile_queries_are_answered(shared, query, named):
    with shared.client("read") as client:
        answer = client.get(f"/v1/memories?{query}")
        assert answer.status_code == (200 if named is None else 400), answer.text
        assert named is None or named in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/memories/", "//", "/../key", "/v1/../../etc/passwd", "/%2e%2e/key", "/%00", "/%ff"]
)
def test_paths_that_lead_nowhere_are_answered_in_json(shared, path):
    with shared.client("admin") as client:
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code in {404, 307}
        assert answer.status_code == 307 or code(answer) in {"no_path", "not_found"}


def test_too_large_and_too_long_is_refused_before_it_is_read(tmp_path):
    with serving(tmp_path, body_bytes_max=10_000, query_bytes_max=500) as hub, hub.client("write") as client:
        big = client.post("/v1/memories", json={"content": "x" * 20_000})
        assert (big.status_code, code(big)) == (413, "too_large")
        streamed = client.post(
            "/v1/memories", content=(b" " * 1000 for _ in range(50)), headers={"content-type": "application/json"}
        )
        assert (streamed.status_code, code(streamed)) == (413, "too_large")
        assert code(client.get("/v1/memories", params={"scope": "x" * 600})) == "too_long"
        assert code(client.get("/v1/memories/" + "x" * 600)) == "too_long"


def test_a_memory_above_the_bound_of_the_store_is_refused_with_its_code(hub):
    with hub.client("write") as client:
        answer = client.post("/v1/memories", json={"content": "x" * 100_000})
    assert (answer.status_code, code(answer)) == (413, "too_large")


def test_rates_hold_for_each_token_and_say_how_long_to_wait(tmp_path):
    with serving(tmp_path, requests_per_s=0.01, requests_burst=3) as hub:
        with hub.client("read") as client:
            assert [client.get("/v1/status").status_code for _ in range(4)] == [200, 200, 200, 429]
            assert int(client.get("/v1/status").headers["retry-after"]) > 1
        with hub.client("read") as another:
            assert another.get("/v1/status").status_code == 200


def test_more_than_can_be_done_at_once_is_refused_at_once(tmp_path):
    rates = {"requests_per_s": 10_000, "requests_burst": 10_000}
    settings = {"http_requests_max": 1, "http_threads": 1, "request_timeout_s": 600.0, **rates}
    with serving(tmp_path, **settings) as hub, hub.client("write") as client, ThreadPoolExecutor(1) as other:

        def until_it_is_taken():
            # The looks below may be at work just when it comes.
            said = {"content": "waits for the lock"}
            while (answer := client.post("/v1/memories", json=said, timeout=600)).status_code == 503:
                pass
            return answer

        with hub.desk.memory.batch():
            hub.desk.memory.remember("keeps the lock")
            waiting = other.submit(until_it_is_taken)
            assert eventually(lambda: client.get("/v1/status").status_code == 503)
            busy = client.get("/v1/status")
            assert (busy.status_code, code(busy)) == (503, "busy")
            assert busy.headers["retry-after"] == "1"
            assert client.get("/ready").status_code == 200
            assert not waiting.done()
        assert waiting.result(timeout=WITHIN_S).status_code == 201
        assert eventually(lambda: client.get("/v1/status").status_code == 200)


def test_a_request_that_takes_too_long_is_given_up(tmp_path):
    with serving(tmp_path, request_timeout_s=0.3) as hub, hub.client("write") as client:
        with hub.desk.memory.batch():
            hub.desk.memory.remember("keeps the lock")
            answer = client.post("/v1/memories", json={"content": "x"})
        assert (answer.status_code, code(answer)) == (504, "timeout")


def closed_by_the_hub(connection, said):
    """Whether the hub ends it; it may have had enough before all is said."""
    connection.settimeout(WITHIN_S)
    with contextlib.suppress(ConnectionError):
        connection.sendall(said)
        while connection.recv(65536):
            pass
    return True


def test_connections_that_say_nothing_or_too_slowly_are_closed(tmp_path):
    with serving(tmp_path, header_timeout_s=0.2, request_timeout_s=0.5) as hub:
        for said in (
            b"",
            b"GET /health HTT",
            b"POST /v1/recall HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
        ):
            with socket.create_connection(("127.0.0.1", hub.port)) as connection:
                assert closed_by_the_hub(connection, said)
        with hub.client() as client:
            assert eventually(lambda: is_answered(client, "/health"))


@pytest.mark.parametrize(
    "rubbish", [b"\x00\xff" * 5000, b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000]
)
def test_rubbish_is_no_request_and_harms_nobody(tmp_path, rubbish):
    with serving(tmp_path, header_timeout_s=0.3) as hub:
        with socket.create_connection(("127.0.0.1", hub.port)) as connection:
            assert closed_by_the_hub(connection, rubbish)
        with hub.client() as client:
            assert eventually(lambda: is_answered(client, "/health"))


def test_connections_beyond_the_bound_are_refused_and_room_comes_back(tmp_path):
    with serving(tmp_path, http_connections_max=5, header_timeout_s=30) as hub:
        waiting = [socket.create_connection(("127.0.0.1", hub.port)) for _ in range(6)]
        with hub.client() as client:
            assert eventually(lambda: client.get("/ready").status_code == 503)
            for connection in waiting:
                connection.close()
            assert eventually(lambda: client.get("/ready").status_code == 200)


# What it tells of itself.


def test_health_and_readiness_tell_the_truth(hub):
    with hub.client() as client:
        assert client.get("/health").json() == {
            "status": "well",
            "checks": {"disk": "ok", "room": "ok", "store": "ok", "http": "ok"},
            "reasons": [],
        }
        assert client.get("/ready").json() == {"ready": True}
        hub.ready[0] = False
        assert client.get("/ready").status_code == 503

        def broken():
            raise OSError(28, "No space left on device", "/secret/place")

        hub.desk.health.add("disk", broken)
        answer = client.get("/health")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["disk: No space left on device"]
        assert "secret" not in answer.text


def test_figures_count_requests_by_our_own_paths_only(hub):
    with hub.client("read") as client:
        client.get("/v1/memories/one")
        client.get("/v1/memories/two")
        client.get("/made/up/by/a/stranger")
        client.request("BREW", "/health")
        text = client.get("/metrics").text
    assert 'chrysalis_hub_http_requests_total{method="GET",path="/v1/memories/{id}",status="404"} 2' in text
    assert 'chrysalis_hub_http_requests_total{method="GET",path="other",status="404"} 1' in text
    assert 'method="other"' in text
    assert "stranger" not in text
    assert "BREW" not in text
    assert 'chrysalis_hub_http_seconds_count{path="/v1/memories/{id}"} 2' in text


def test_figures_need_a_token_unless_they_were_opened(tmp_path, hub):
    with hub.client() as client:
        assert client.get("/metrics").status_code == 401
    with serving(tmp_path / "open", open_metrics=True) as opened, opened.client() as client:
        assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_what_changes_over_http_is_audited_without_its_words(hub):
    with hub.client("write") as client:
        made = client.post("/v1/memories", json={"content": "the door code is 4711"}).json()["id"]
        client.patch(f"/v1/memories/{made}", json={"content": "the door code is 4712"})
        client.delete(f"/v1/memories/{made}")
    [token] = hub.tokens.list()
    with hub.client("admin") as client:
        entries = client.get("/v1/audit", params={"limit": 10}).json()["entries"]
        assert client.get("/v1/audit", params={"what": "forgot"}).json()["entries"] == entries[2:]
    told = [(entry["what"], entry["id"], entry["by"], entry["token"]) for entry in entries]
    assert told == [(what, made, "tess", token.id) for what in ("remembered", "updated", "forgot")]
    assert "471" not in (hub.desk.memory.path / NAME).read_text("ascii").replace(made, "")
    assert read_audit(hub.desk.memory.path, limit=10) == entries


def test_a_mistake_of_ours_is_answered_in_json_and_logged_without_words(hub, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("the door code is 4711")

    monkeypatch.setattr(ChrysalisMemory, "recall", broken)
    with caplog.at_level(logging.ERROR), hub.client("read") as client:
        answer = client.post("/v1/recall", json={"query": "x"})
    assert (answer.status_code, code(answer)) == (500, "internal")
    assert "4711" not in answer.text + caplog.text
    assert "RuntimeError in" in caplog.text


def test_every_answer_is_not_to_be_kept_or_guessed_at(hub):
    with hub.client("read") as client:
        for path in ("/health", "/v1/status", "/nothing", "/openapi.json"):
            headers = client.get(path).headers
            assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
            assert "server" not in headers


def test_the_status_has_the_figures_of_the_store(hub):
    hub.desk.memory.remember("x")
    with hub.client("read") as client:
        status = client.get("/v1/status").json()
    assert (status["memories"], status["links"], status["role"]) == (1, 0, "administrator")
    assert status["replica"] == hub.desk.memory.public_key
    assert json.dumps(str(hub.desk.memory.path)) not in json.dumps(status)
