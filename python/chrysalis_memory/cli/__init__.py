"""The command line `chrysalis`: one file for each group of commands, over the public API and nothing beneath.

Exit codes: 0 done; 1 nothing found, or something does not hold; 2 misuse; 3 the store cannot; 4 refused;
130 interrupted.
"""

from __future__ import annotations

import sys

from chrysalis_memory.cli.app import build_app
from chrysalis_memory.cli.failures import run

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(build_app(), given))
