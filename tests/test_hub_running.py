"""A hub as a process: it starts, says where it is, tells the truth of itself, and ends in good order."""

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from chrysalis_memory import ChrysalisMemory, StoreError
from chrysalis_memory.hub.audit import read_audit
from chrysalis_memory.hub.running import Running
from chrysalis_memory.hub.settings import HubSettings
from hub_process import COMMAND, WITHIN_S, environment, hub_process

posix = pytest.mark.skipif(os.name != "posix", reason="this system ends processes otherwise")


def test_the_first_start_founds_a_closed_space_and_the_next_one_keeps_it(tmp_path):
    store = tmp_path / "hub"
    with hub_process(store, "--space", "team") as hub:
        first = hub.ready
        assert (first["space"], first["closed"], first["role"]) == ("team", True, "administrator")
    with hub_process(store) as hub:
        assert hub.ready["replica"] == first["replica"]
        assert (hub.ready["space"], hub.ready["closed"]) == ("team", True)


def test_an_open_space_has_to_be_asked_for(tmp_path):
    with hub_process(tmp_path / "hub", "--open-space") as hub:
        assert hub.ready["closed"] is False


def test_a_ready_hub_is_well_and_says_so_in_every_way(tmp_path):
    file = tmp_path / "ready.json"
    with hub_process(tmp_path / "hub", "--ready-file", str(file)) as hub:
        assert json.loads(file.read_text()) == hub.ready
        with hub.client() as client:
            health = client.get("/health").json()
            assert health["status"] == "well", health
            assert set(health["checks"]) == {"disk", "room", "store", "http", "links", "sync"}
            assert client.get("/ready").json() == {"ready": True}
            figures = client.get("/metrics").text
            assert "\nchrysalis_hub_well 1\n" in figures
            assert "\nchrysalis_hub_links 0\n" in figures
            status = client.get("/v1/status").json()
            assert (status["space"], status["links"]) == ("default", 0)
            assert [member["role"] for member in client.get("/v1/members").json()["members"]] == ["administrator"]
        assert hub.stop() == 0
    assert not file.exists()


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_good_order_and_it_is_audited(tmp_path, number):
    with hub_process(tmp_path / "hub") as hub:
        hub.process.send_signal(number)
        assert hub.process.wait(WITHIN_S) == 0
    told = [entry["what"] for entry in read_audit(tmp_path / "hub", limit=10)]
    assert (told[0], told[-1]) == ("started", "ended")
    with ChrysalisMemory(tmp_path / "hub", embedder="none") as memory:
        assert memory.verify()


@posix
def test_the_end_of_its_terminal_ends_it_in_good_order_unless_it_is_to_outlive_that(tmp_path):
    ready = tmp_path / "ready.json"
    command = [
        *COMMAND,
        "--store",
        str(tmp_path / "hub"),
        "--port",
        "0",
        "--http-port",
        "0",
        "--ready-file",
        str(ready),
    ]

    def hung_up(before):
        def prepare():
            signal.signal(signal.SIGHUP, before)

        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), preexec_fn=prepare)
        with process, process.stdout:
            assert process.stdout.readline()
            process.send_signal(signal.SIGHUP)
            if before is signal.SIG_IGN:
                address = json.loads(ready.read_text())["http"]
                assert httpx.get(f"{address}/health", trust_env=False, timeout=WITHIN_S).json()["status"] == "well"
                process.terminate()
            return process.wait(WITHIN_S)

    assert [hung_up(signal.SIG_DFL), ready.exists(), hung_up(signal.SIG_IGN)] == [0, False, 0]
    assert [entry["what"] for entry in read_audit(tmp_path / "hub", limit=10)] == ["started", "ended"] * 2


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this system has no IPv6")
def test_on_every_interface_both_ports_take_ipv4_and_ipv6(tmp_path):
    settings = HubSettings(host="::", port=0, http_port=0, embedder="none", serve_without_tls_beyond_loopback=True)
    with Running(tmp_path, settings) as hub:
        ports = [int(hub.ready()[name].rpartition(":")[2]) for name in ("links", "http")]
        for place in [(host, port) for host in ("127.0.0.1", "::1") for port in ports]:
            socket.create_connection(place, timeout=WITHIN_S).close()
        assert hub.desk.health.look()[-1].ok


def test_a_port_that_is_taken_is_said_and_no_store_is_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [*COMMAND, "--store", str(tmp_path / "hub"), "--port", "0", "--http-port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, env=environment())
        assert done.returncode == 3
        assert port in done.stderr
        assert not (tmp_path / "hub").exists()
        command = [*COMMAND, "--store", str(tmp_path / "hub"), "--port", port, "--http-port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, env=environment())
        assert done.returncode == 3
        assert port in done.stderr


@posix
def test_everything_in_the_folder_is_for_its_owner_only(tmp_path):
    with hub_process(tmp_path / "hub") as hub, hub.client() as client:
        client.post("/v1/memories", json={"content": "x"})
        open_to_others = [
            str(path)
            for path in [hub.store, *hub.store.rglob("*")]
            if path.name != "health-probe" and stat.S_IMODE(path.stat().st_mode) & 0o077
        ]
    assert open_to_others == []


def test_neither_output_nor_files_hold_an_access_token(tmp_path):
    with hub_process(tmp_path / "hub") as hub, hub.client() as client:
        secret = client.headers["authorization"][7:]
        client.get("/v1/status")
        client.get("/v1/status", headers={"authorization": f"Bearer {secret}x"})
        hub.stop()
    for path in [tmp_path / "hub.log", *(path for path in (tmp_path / "hub").rglob("*") if path.is_file())]:
        assert secret.encode() not in path.read_bytes(), path


def test_a_hub_within_this_process_gives_everything_back(tmp_path):
    settings = HubSettings(port=0, http_port=0, embedder="none")
    for _ in range(2):
        with Running(tmp_path, settings) as hub:
            ports = [int(hub.ready()[name].rsplit(":", 1)[1]) for name in ("links", "http")]
        for port in ports:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_start_that_fails_leaves_nothing_running(tmp_path):
    (tmp_path / "chrysalis.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError), Running(tmp_path, HubSettings(port=0, http_port=0, embedder="none")):
        pass
    program = "import threading; print(threading.active_count())"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout.strip() == b"1"


@pytest.fixture
def certificate(tmp_path):
    """A certificate for this machine, signed by itself."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    made = subprocess.run([*command.split(), *files, *names], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("there is no openssl to make a certificate with")
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_with_a_certificate_both_ports_speak_tls_and_nothing_else(tmp_path, certificate):
    cert, key = map(str, certificate)
    with hub_process(tmp_path / "hub", "--tls-cert", cert, "--tls-key", key) as hub:
        assert hub.links.startswith("wss://")
        assert hub.ready["http"].startswith("https://")
        trusting = ssl.create_default_context(cafile=cert)
        with httpx.Client(base_url=hub.ready["http"], verify=trusting, trust_env=False) as client:
            assert client.get("/health").json()["status"] == "well"
        with pytest.raises(httpx.HTTPError):
            httpx.get(hub.ready["http"].replace("https", "http") + "/health", trust_env=False)


def test_a_certificate_that_is_not_there_is_said(tmp_path):
    command = [*COMMAND, "--store", str(tmp_path / "hub"), "--port", "0", "--http-port", "0"]
    flags = ["--tls-cert", str(tmp_path / "no.pem"), "--tls-key", str(tmp_path / "no.key")]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=WITHIN_S, env=environment())
    assert done.returncode == 3
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert Path(tmp_path / "no.pem").name in done.stderr


@posix
def test_a_hub_may_open_as_many_files_as_the_system_lets_it(tmp_path):
    resource = pytest.importorskip("resource")
    few, most = 256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with few_files(resource, few, most), hub_process(tmp_path / "hub") as hub:
        limits = Path(f"/proc/{hub.process.pid}/limits")
        if not limits.exists():
            pytest.skip("this system does not show the limits of processes")
        [line] = [line for line in limits.read_text().splitlines() if line.startswith("Max open files")]
        assert int(line.split()[3]) == most


@contextmanager
def few_files(resource, few, most):
    """A bound that processes started meanwhile take over."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
