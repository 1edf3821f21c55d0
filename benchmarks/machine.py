"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.raw import sqlite_versions

__all__ = ["describe"]

_PACKAGES = ("chrysalis-memory", "pycrdt", "loro", "numpy", "apsw")


def describe(folder: Path) -> dict[str, str]:
    """Names and versions, for the head of a report."""
    described = {
        "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {_file_system(folder)}",
        "load before": _load(),
        "Python": platform.python_version(),
        "SQLite of the yardstick": sqlite_versions(),
    }
    for package in _PACKAGES:
        try:
            described[package] = version(package)
        except PackageNotFoundError:
            described[package] = "not installed"
    return described


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _load() -> str:
    return " ".join(f"{load:.1f}" for load in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


def _file_system(folder: Path) -> str:
    """The type of the file system under the folder: a tmpfs would make every fsync free."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return "file system unknown"
    under = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    return max(under, key=lambda mount: len(mount[1]))[2] if under else "file system unknown"
