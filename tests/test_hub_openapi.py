"""The description at /openapi.json is what the hub does: every route is in it, and every answer fits it."""

import pytest

from chrysalis_memory.hub.http.application import ENDPOINTS
from chrysalis_memory.hub.http.openapi import described
from chrysalis_memory.hub.http.schema import check
from hub_cases import serving


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("hub"), requests_burst=10_000) as running:
        yield running


@pytest.fixture(scope="module")
def description(hub):
    with hub.client() as client:
        return client.get("/openapi.json").json()


def shape_of(description, method, path, status):
    media = description["paths"][path][method.lower()]["responses"][str(status)]["content"]
    [(media_type, inner)] = media.items()
    schema = inner["schema"]
    if "$ref" in schema:
        assert schema["$ref"] == "#/components/schemas/Error"
        schema = description["components"]["schemas"]["Error"]
    return media_type, schema


def test_it_describes_every_route_and_no_other(description):
    told = {(method, path) for path, methods in description["paths"].items() for method in methods}
    assert told == {(endpoint.method.lower(), endpoint.path) for endpoint in ENDPOINTS}
    names = [operation["operationId"] for methods in description["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert description == described(ENDPOINTS)
    assert description["openapi"].startswith("3.1")


def test_each_operation_says_which_right_it_needs(description):
    for endpoint in ENDPOINTS:
        operation = description["paths"][endpoint.path][endpoint.method.lower()]
        assert operation["security"] == ([] if endpoint.right == "none" else [{"token": []}])
        assert operation["x-right"] == endpoint.right
        named = {parameter["name"] for parameter in operation["parameters"]}
        assert named == set(endpoint.query) | ({"id"} if "{id}" in endpoint.path else set())


REQUESTS = [
    ("GET", "/health", {}),
    ("GET", "/ready", {}),
    ("GET", "/v1/status", {}),
    ("GET", "/v1/members", {}),
    ("GET", "/v1/replicas", {}),
    ("GET", "/v1/proofs", {}),
    ("GET", "/v1/audit", {"params": {"limit": 3}}),
    ("POST", "/v1/memories", {"json": {"content": "one", "id": "one", "tags": ["a"], "metadata": {"n": [1, None]}}}),
    ("POST", "/v1/memories", {"json": {"content": "full", "speaker": "ada", "thread": "t", "ttl": 60.5}}),
    ("GET", "/v1/memories", {"params": {"limit": 10}}),
    ("GET", "/v1/memories/{id}", {}),
    ("PATCH", "/v1/memories/{id}", {"json": {"valid_from": "2026-01-01", "thread": None}}),
    ("POST", "/v1/recall", {"json": {"query": "one", "threshold": "none", "ranking": "collective"}}),
    ("DELETE", "/v1/memories/{id}", {}),
    ("GET", "/v1/memories/{id}", {}),
    ("GET", "/metrics", {}),
    ("POST", "/v1/recall", {"json": {}}),
    ("POST", "/v1/recall", {"content": b"{}"}),
]


def test_real_answers_fit_their_description(hub, description):
    asked = set()
    with hub.client("admin") as client:
        for method, path, more in REQUESTS:
            answer = client.request(method, path.replace("{id}", "one"), **more)
            media_type, schema = shape_of(description, method, path, answer.status_code)
            assert answer.headers["content-type"].startswith(media_type)
            check(answer.text if media_type == "text/plain" else answer.json(), schema, f"{method} {path}")
            asked.add((method, path))
    assert asked == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}


def test_failures_of_every_kind_fit_their_description(hub, description):
    with hub.client() as client:
        refused = client.get("/v1/status")
        assert refused.status_code == 401
        check(refused.json(), shape_of(description, "GET", "/v1/status", 401)[1])
        check(client.get("/nothing").json(), description["components"]["schemas"]["Error"])


@pytest.mark.parametrize(
    ("value", "schema", "named"),
    [
        ({"a": 1, "b": 2}, {"type": "object", "properties": {"a": {}}, "additionalProperties": False}, "'b'"),
        ({}, {"type": "object", "required": ["a"]}, "lacks a"),
        ([1, "x"], {"type": "array", "items": {"type": "integer"}}, r"\[1\]"),
        ([1, 2], {"type": "array", "items": {}, "maxItems": 1}, "entries"),
        (True, {"type": "integer"}, "whole number"),
        (1, {"type": "boolean"}, "true or false"),
        (None, {"type": "string"}, "null"),
        (5, {"type": "integer", "maximum": 4}, "between"),
        ("red", {"type": "string", "enum": ["blue"]}, "blue"),
        ("long", {"type": "string", "maxLength": 3}, "characters"),
        ({"x": "1"}, {"type": "object", "additionalProperties": {"type": "number"}}, "x is text"),
    ],
)
def test_what_does_not_fit_a_schema_is_named(value, schema, named):
    with pytest.raises(ValueError, match=named):
        check(value, schema)
