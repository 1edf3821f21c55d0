"""Replicas on hosts of their own: network namespaces of this machine, each with an address and nothing shared."""

import itertools
import json
import os
import shutil
import subprocess
import sys

import pytest

from memory_cases import eventually
from network_cases import certificates, needs_openssl

AGENT = """
import json, sys
from chrysalis_memory import ChrysalisMemory
from chrysalis_memory.network import GossipConfig, SyncConfig

settings = json.loads(sys.argv[1])
config = SyncConfig(silence_s=3, gossip=GossipConfig(anti_entropy_ms=1000, revive_ms=1000), **settings.pop("sync"))
with ChrysalisMemory(embedder="none", sync_config=config, **settings) as memory:
    print(json.dumps(memory.status().address), flush=True)
    for line in sys.stdin:
        word, rest = json.loads(line)
        if word == "say":
            answer = memory.remember(rest).id
        elif word == "invite":
            answer = memory.invite(urls=[rest])
        else:
            answer = [one.content for one in memory.recall(rest)]
        print(json.dumps(answer), flush=True)
"""


def _run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout


def _why_not():
    if not sys.platform.startswith("linux") or shutil.which("ip") is None:
        return "network namespaces need Linux and the command ip"
    name = f"chrysalis{os.getpid()}"
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "netns", "del", name)
    except subprocess.CalledProcessError as error:
        return f"this user may not make network namespaces: {error.stderr.strip()}"
    return None


REASON = _why_not()
pytestmark = [pytest.mark.skipif(REASON is not None, reason=REASON or ""), needs_openssl]


class Hosts:
    """Hosts on one switch, 10.87.0.1 and up. The switch is a bridge in a namespace of its own."""

    numbers = itertools.count()

    def __init__(self):
        self._prefix = f"ch{os.getpid()}x{next(self.numbers)}"
        self._switch = f"{self._prefix}s"
        _run("ip", "netns", "add", self._switch)
        self._in(self._switch, "ip", "link", "add", "switch", "type", "bridge")
        self._in(self._switch, "ip", "link", "set", "switch", "up")
        self._names = []
        self.agents = []

    def _in(self, name, *words):
        return _run("ip", "netns", "exec", name, *words)

    def add(self):
        """A new host; returns its address."""
        number = len(self._names) + 1
        name, cable = f"{self._prefix}h{number}", f"h{number}"
        _run("ip", "netns", "add", name)
        self._names.append(name)
        self._in(self._switch, "ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        self._in(self._switch, "ip", "link", "set", cable, "master", "switch", "up")
        for words in (("addr", "add", f"10.87.0.{number}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            self._in(name, "ip", *words)
        self._in(name, "ip", "link", "set", "lo", "up")
        return f"10.87.0.{number}"

    def unplug(self, number, plugged=False):
        """Pulls a host's cable, or puts it back."""
        self._in(self._switch, "ip", "link", "set", f"h{number}", "up" if plugged else "down")

    def agent(self, number, **settings):
        self.agents.append(Agent(["ip", "netns", "exec", self._names[number - 1]], settings))
        return self.agents[-1]

    def end(self):
        for agent in self.agents:
            agent.end()
        for name in [*self._names, self._switch]:
            _run("ip", "netns", "del", name)


class Agent:
    """A process with a store."""

    def __init__(self, where, settings):
        command = [*where, sys.executable, "-c", AGENT, json.dumps(settings)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self._read()

    def ask(self, word, rest):
        self._process.stdin.write(json.dumps([word, rest]) + "\n")
        self._process.stdin.flush()
        return self._read()

    def knows(self, words):
        return any(words in found for found in self.ask("recall", f'"{words}"'))

    def end(self):
        self._process.communicate(timeout=60)

    def _read(self):
        return json.loads(self._process.stdout.readline())


@pytest.fixture
def hosts():
    made = Hosts()
    yield made
    made.end()


def test_three_hosts_share_one_memory_over_tls_and_heal_when_a_cable_is_put_back(hosts, tmp_path):
    places = [hosts.add() for _ in range(3)]
    authority, certificate, key = certificates(tmp_path, *places)
    tls = {"tls_certificate": certificate, "tls_key": key, "tls_authorities": authority}

    def agent(number, **more):
        where = {"path": str(tmp_path / f"store{number}"), "listen": f"{places[number - 1]}:4444"}
        return hosts.agent(number, sync=tls, **where, **more)

    first = agent(1, space="team", closed=True)
    assert first.url == f"wss://{places[0]}:4444"
    token = first.ask("invite", first.url)
    second, third = agent(2, invite=token, peers=[first.url]), agent(3, invite=token, peers=[first.url])
    first.ask("say", "the kiln is hot")
    assert eventually(lambda: second.knows("kiln") and third.knows("kiln"))

    hosts.unplug(1)
    first.ask("say", "said alone")
    second.ask("say", "said without the first")
    assert eventually(lambda: third.knows("without"))
    assert not first.knows("without")
    assert not third.knows("alone")

    hosts.unplug(1, plugged=True)
    assert eventually(lambda: first.knows("without") and third.knows("alone") and second.knows("alone"))
