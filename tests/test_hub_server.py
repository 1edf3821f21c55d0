"""The port of HTTP, by real sockets: who costs a handshake of TLS, how many may wait in one, and two lengths."""

import socket
import ssl
from contextlib import ExitStack, suppress

import httpx
import pytest

from chrysalis_memory.hub.http.server import TOLD_MAX
from hub_cases import is_answered, serving
from memory_cases import eventually
from network_cases import WAIT_S, certificates, needs_openssl

PLENTY = 10_000.0


@pytest.fixture
def tls(tmp_path):
    """The authority, and the settings of a hub with its certificate."""
    authority, certificate, key = certificates(tmp_path)
    return authority, {"tls_cert": certificate, "tls_key": key}


def connected(hub):
    return socket.create_connection(("127.0.0.1", hub.port), timeout=WAIT_S)


def is_cut(connection):
    """Waits until the other side has ended it."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@needs_openssl
def test_handshakes_of_tls_that_are_not_finished_count_and_who_comes_then_is_cut_off(tmp_path, tls):
    authority, settings = tls
    trusting = ssl.create_default_context(cafile=authority)
    bounds = {"http_connections_max": 2, "arrivals_per_s": PLENTY, "open_timeout_s": 600.0}
    with serving(tmp_path / "hub", **settings, **bounds) as hub:
        with ExitStack() as silent:
            for _ in range(2 + TOLD_MAX):
                silent.enter_context(connected(hub))
            with connected(hub) as one_more:
                assert is_cut(one_more)
        url = hub.url.replace("http:", "https:")
        with httpx.Client(base_url=url, verify=trusting, trust_env=False, timeout=WAIT_S) as client:
            # The places of those who left may not be free yet.
            assert eventually(lambda: is_answered(client, "/ready")), "nobody was let in any more"


@needs_openssl
def test_a_handshake_of_tls_that_takes_too_long_or_is_rubbish_is_cut_off(tmp_path, tls):
    _, settings = tls
    with serving(tmp_path / "hub", **settings, open_timeout_s=0.2) as hub, connected(hub) as silent:
        assert is_cut(silent)
    with serving(tmp_path / "hub", **settings, open_timeout_s=600.0) as hub, connected(hub) as rude:
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionError):
            while rude.recv(1_024):  # an alert, before the end
                pass


@needs_openssl
def test_one_address_begins_so_many_handshakes_in_a_second_and_no_more(tmp_path, tls):
    _, settings = tls
    with serving(tmp_path / "hub", **settings, arrivals_per_s=0.001) as hub, connected(hub), connected(hub) as second:
        assert is_cut(second)


def test_without_tls_of_its_own_a_hub_counts_no_arrivals(tmp_path):
    with serving(tmp_path / "hub", arrivals_per_s=0.001) as hub, hub.client() as one, hub.client() as other:
        assert [client.get("/ready").status_code for client in (one, other)] == [200, 200]


@needs_openssl
def test_a_hub_ends_while_handshakes_are_under_way(tmp_path, tls):
    _, settings = tls
    with ExitStack() as silent:
        with serving(tmp_path / "hub", **settings, open_timeout_s=600.0) as hub:
            waiting = silent.enter_context(connected(hub))
        assert is_cut(waiting)


def test_a_request_that_says_its_length_in_two_ways_is_refused_and_nothing_behind_it_is_read(tmp_path):
    with serving(tmp_path) as hub, connected(hub) as connection:
        body = b"0\r\n\r\n"
        head = b"POST /v1/recall HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
        lengths = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + lengths + body + b"GET /ready HTTP/1.1\r\nHost: here\r\n\r\n")
        answers = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answers.startswith(b"HTTP/1.1 400")
    assert b"two_lengths" in answers
    assert answers.count(b"HTTP/1.1 ") == 1
