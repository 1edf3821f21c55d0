"""What this machine's processor can do, as far as it decides how the model is run."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from typing import Final, Literal

__all__ = ["Precision", "best_precision", "has_dot_products", "threads"]

Precision = Literal["f32", "int8"]

# The names under which Linux lists instructions that multiply and add four pairs of bytes at once.
_DOT_PRODUCTS: Final = {"avx512_vnni", "avx_vnni", "avx512vnni", "asimddp", "i8mm"}
_THREADS_MAX: Final = 4


@cache
def has_dot_products() -> bool:
    """Whether products of 8-bit numbers are fast here. Without them, 8 bits are slower and less exact than 32.

    False where it cannot be told.
    """
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return bool(_listed(Path("/proc/cpuinfo")) & _DOT_PRODUCTS)


def best_precision() -> Precision:
    """8 bits where the processor multiplies them fast, 32 bits elsewhere."""
    return "int8" if has_dot_products() else "f32"


def _listed(cpuinfo: Path) -> set[str]:
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return set()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip().lower() in {"flags", "features"}:
            return set(value.lower().split())
    return set()


def threads() -> int:
    """How many threads the model may use: a core is left to the agent, and more than four gain little."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(_THREADS_MAX, cores - 1))
