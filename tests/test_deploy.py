"""What deploys a hub holds together: the files read well, and the very commands that they run do what they should."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from chrysalis_memory.hub.settings import HubSettings
from chrysalis_memory.hub.sources import PREFIX, gather
from hub_process import WITHIN_S, environment, hub_process

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


def containerfile():
    """Instructions and what they are given, in order; continued lines as one, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Containerfile").read_text("utf-8"), flags=re.MULTILINE)
    joined = text.replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def given(name):
    return [value for instruction, value in containerfile() if instruction == name]


# The image.


def test_the_image_is_built_in_one_stage_and_run_in_another_by_a_user_without_rights():
    assert len(given("FROM")) == 2
    last = [instruction for instruction, _ in containerfile()]
    user = given("USER")
    assert user == ["10001"]
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert given("STOPSIGNAL") == ["SIGTERM"]
    assert given("EXPOSE") == [f"{HubSettings().port} {HubSettings().http_port}"]


def test_everything_that_the_image_copies_is_there():
    copied = [value.split()[:-1] for value in given("COPY") if not value.startswith("--from")]
    names = [name for part in copied for name in part]
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_of_the_folder_that_is_all_that_goes_to_whoever_builds_the_image():
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    copied = {name for value in given("COPY") if not value.startswith("--from") for name in value.split()[:-1]}
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert {"**/__pycache__", "**/*.so"} < set(lines)


def test_the_health_check_of_the_image_holds_while_the_hub_is_well_and_fails_otherwise(tmp_path):
    [told] = given("HEALTHCHECK")
    program = yaml.safe_load(told.split("CMD", 1)[1])
    assert program[:2] == ["python", "-c"]
    with hub_process(tmp_path / "hub") as hub:
        asked = program[2].replace("http://127.0.0.1:8082", hub.ready["http"])
        assert asked != program[2]
        assert subprocess.run([sys.executable, "-c", asked], timeout=WITHIN_S, check=False).returncode == 0
    failed = subprocess.run([sys.executable, "-c", asked], timeout=WITHIN_S, capture_output=True, check=False)
    assert failed.returncode != 0


# The compose file.


def test_services_use_the_image_and_volumes_that_there_are():
    file = compose()
    services = file["services"]
    assert set(services) == {"hub", "invite", "ada", "bob"}
    used = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}
    assert used == set(file["volumes"])
    waited = {name for service in services.values() for name in service.get("depends_on", {})}
    assert waited <= set(services)
    for service in services.values():
        assert service["image"] == "chrysalis"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        # All as the image's user: what one writes for its owner alone, like the token, another can read.
        assert "user" not in service
    folders = {volume.split(":")[1] for service in services.values() for volume in service["volumes"]}
    [made] = [value for value in given("RUN") if "useradd" in value]
    for folder in folders:
        assert re.search(rf"chown chrysalis[^&]* {folder}\b", made), f"{folder} is the user's before it is a volume"
    built = (DEPLOY / services["hub"]["build"]["context"]).resolve()
    assert built == ROOT.resolve()
    assert (built / services["hub"]["build"]["dockerfile"]).exists()


def test_http_of_the_hub_is_for_the_host_alone():
    assert compose()["services"]["hub"]["ports"] == ["127.0.0.1:8082:8082"]


def test_the_variables_of_the_hub_are_settings():
    variables = compose()["services"]["hub"]["environment"]
    settings, told = gather({}, variables, None)
    assert set(told) == {name[len(PREFIX) :].lower() for name in variables}
    assert settings.host == "0.0.0.0"
    assert settings.serve_without_tls_beyond_loopback


def here(arguments, folders):
    """Arguments of a container as those of a process on this machine."""
    for inside, outside in folders.items():
        arguments = [argument.replace(inside, str(outside)) for argument in arguments]
    return arguments


@pytest.mark.skipif(shutil.which("sh") is None, reason="the services run a POSIX shell")
def test_the_services_do_on_this_machine_what_they_do_in_containers(tmp_path):
    services = compose()["services"]
    folders = {name: tmp_path / name for name in ("hub", "ada", "bob", "invitation")}
    folders["invitation"].mkdir()
    command = services["hub"]["command"]
    assert command[:3] == ["hub", "--store", "/data"]
    with hub_process(folders["hub"], *command[3:]) as hub:
        [line] = services["invite"]["command"]
        inside = {"/data": folders["hub"], "/invitation": folders["invitation"], "ws://hub:4444": hub.links}
        [line] = here([line], inside)
        line = line.replace("chrysalis ", f"{shlex.quote(sys.executable)} -m chrysalis_memory.cli ")
        invited = subprocess.run(["sh", "-c", line], env=environment(), timeout=WITHIN_S, check=False)
        assert invited.returncode == 0
        agents = {name: agent(services[name], folders, name) for name in ("bob", "ada")}
        said = {name: process.communicate(timeout=WITHIN_S)[0] for name, process in agents.items()}
        assert [process.returncode for process in agents.values()] == [0, 0], said
    assert "the hub has it on disk" in said["ada"]
    assert "bob recalls what ada said: The kiln reaches 1240 degrees" in said["bob"]


def agent(service, folders, name):
    program, script = service["entrypoint"]
    assert program == "python"
    arguments = here(service["command"], {"/data": folders[name], "/invitation": folders["invitation"]})
    path = ROOT / script.lstrip("/")
    command = [sys.executable, str(path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())


# systemd, and examples of settings.


def unit():
    lines = (DEPLOY / "chrysalis-hub.service").read_text("utf-8").splitlines()
    return [tuple(line.split("=", 1)) for line in lines if "=" in line and not line.startswith("#")]


def test_the_unit_runs_the_hub_in_a_folder_of_its_own(tmp_path):
    [command] = [value for name, value in unit() if name == "ExecStart"]
    program, *arguments = shlex.split(command)
    assert Path(program).name == "chrysalis"
    assert arguments[0] == "hub"
    assert "%S/chrysalis-hub" in arguments
    assert ("StateDirectory", "chrysalis-hub") in unit()
    flags = here(arguments[1:], {"%S": tmp_path})
    assert flags[:1] == ["--store"]
    with hub_process(Path(flags[1]), *flags[2:]) as hub:
        assert hub.stop() == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd to ask")
def test_systemd_takes_the_unit_and_calls_it_well_protected(tmp_path):
    copy = tmp_path / "chrysalis-hub.service"
    text = (DEPLOY / "chrysalis-hub.service").read_text("utf-8")
    copy.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", text))
    asked = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    assert copy.name not in asked.stderr, asked.stderr
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(copy)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    if "unrecognized option" in rated.stderr:
        pytest.skip("this systemd does not rate units")
    assert rated.returncode == 0, rated.stdout[-500:]


def test_the_example_of_settings_can_be_used():
    settings, told = gather({}, {}, DEPLOY / "hub.toml")
    assert settings.announce == "wss://hub.example:4444"
    assert len(told) > 5


def test_the_example_for_prometheus_asks_where_the_hub_answers():
    [job] = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text("utf-8"))["scrape_configs"]
    assert job["static_configs"][0]["targets"] == [f"hub.example:{HubSettings().http_port}"]
