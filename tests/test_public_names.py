"""The names of the package: these and no others."""

import importlib
import importlib.metadata
import pkgutil
import subprocess
import sys
import types

import pytest

import chrysalis_memory

NAMES = {
    "AgentMemory",
    "BadSignature",
    "Change",
    "ChrysalisError",
    "ChrysalisMemory",
    "Config",
    "Conflict",
    "DiskFull",
    "Embedder",
    "Equivocation",
    "GCounter",
    "GSet",
    "Hit",
    "ImportProblem",
    "ImportReport",
    "Invitation",
    "LWWRegister",
    "LinkClosed",
    "LinkError",
    "LinkTimeout",
    "LogicalTime",
    "Malformed",
    "Member",
    "Memory",
    "MemoryDocument",
    "MemoryStorage",
    "MemoryType",
    "ModelError",
    "NotAllowed",
    "NotFound",
    "ORSet",
    "Outcome",
    "PeerMisbehaved",
    "Problem",
    "Proof",
    "Recall",
    "Receipt",
    "Refused",
    "Revision",
    "Stats",
    "StoreCorrupt",
    "StoreEncrypted",
    "StoreError",
    "StoreLocked",
    "StoreReadOnly",
    "StoreTooNew",
    "Tier",
    "TooFarAhead",
    "TooLarge",
    "Unreachable",
    "Validation",
    "ValidationVote",
    "VectorClock",
    "VectorModel",
    "Verification",
    "fingerprint",
    "verify_signature",
}


def test_the_public_names_are_these():
    assert set(chrysalis_memory.__all__) == NAMES
    assert len(chrysalis_memory.__all__) == len(NAMES)


def test_nothing_else_leaks():
    public = {
        name
        for name, value in vars(chrysalis_memory).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == NAMES


def test_every_name_is_there_and_says_what_it_is():
    for name in NAMES:
        assert getattr(chrysalis_memory, name).__doc__, name


def test_every_module_says_what_it_exports():
    for found in pkgutil.walk_packages(chrysalis_memory.__path__, "chrysalis_memory."):
        if found.name.endswith(("__main__", "._core")):
            continue
        module = importlib.import_module(found.name)
        for name in getattr(module, "__all__", []):
            assert hasattr(module, name), f"{found.name}.{name}"


def test_the_version_is_that_of_the_package():
    try:
        installed = importlib.metadata.version("chrysalis-memory")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    assert chrysalis_memory.__version__ == installed


def test_importing_does_nothing_but_define():
    program = (
        "import sys, threading; import chrysalis_memory\n"
        "print(threading.active_count(), [name for name in ('typer', 'rich', 'numpy') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "1 []\n"


def test_the_package_is_loaded_without_what_only_links_need():
    loaded = (
        "import sys, chrysalis_memory; print('websockets' in sys.modules, 'chrysalis_memory.network' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    from chrysalis_memory.network import Network

    assert Network.__name__ == "Network"
    with pytest.raises(AttributeError, match="Netwrok"):
        getattr(importlib.import_module("chrysalis_memory.network"), "Netwrok")  # noqa: B009
