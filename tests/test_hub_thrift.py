"""What a hub does so that it holds no more memory than it needs: in processes of their own, whose memory is counted."""

import json
import subprocess
import sys

import pytest

from chrysalis_memory.hub.thrift import give_back

_FREES_MUCH = """
import json
from pathlib import Path
from chrysalis_memory.hub.thrift import give_back

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))

pieces = [bytes(2_000) for _ in range(50_000)]
kept = pieces[::100]
full = resident()
del pieces
before = resident()
given = give_back()
print(json.dumps([given, full, before, resident(), len(kept)]))
"""

_FREEZES = """
import gc
from chrysalis_memory.hub.thrift import keep_what_is_here

before = gc.get_freeze_count()
keep_what_is_here()
print(gc.get_freeze_count() - before)
"""


def said_by(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(ran.stdout)


@pytest.mark.skipif(not give_back(), reason="the allocator of this system can't be asked to give memory back")
def test_memory_between_what_is_still_needed_is_given_back():
    given, full, _, after, kept = said_by(_FREES_MUCH)
    assert (given, kept) == (True, 500)
    assert after < full - 50_000_000


def test_what_exists_when_a_hub_is_ready_is_no_more_looked_at_by_the_collector():
    assert said_by(_FREEZES) > 10_000
