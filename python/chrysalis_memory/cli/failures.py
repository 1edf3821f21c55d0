"""How errors leave the command line: a sentence and a hint on stderr, or JSON, and an exit code with one meaning."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

import typer
from typer.exceptions import TyperException

from chrysalis_memory.cli.output import printable
from chrysalis_memory.errors import ChrysalisError, NotFound, Refused

OK: Final = 0
NOTHING: Final = 1
MISUSE: Final = 2
STORE: Final = 3
REFUSED: Final = 4
INTERRUPTED: Final = 130


def run(app: typer.Typer, arguments: list[str]) -> int:
    """Run one command and turn whatever ends it into an exit code."""
    as_json = "--json" in arguments or "--jsonl" in arguments
    try:
        code = app(args=arguments, prog_name="chrysalis", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except BrokenPipeError:
        # The reader (head, less) has seen enough; without this, Python complains once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)  # noqa: T201 - no console may be left to print to
        return INTERRUPTED
    except TyperException as error:
        # A command without its arguments has already printed its help instead of a message.
        return _report(_usage(error), MISUSE, as_json) if error.format_message() else MISUSE
    except ChrysalisError as error:
        return _report(error.to_dict(), _exit_code(error), as_json)
    except (ValueError, TypeError) as error:
        return _report({"code": "misuse", "message": str(error), "hint": "See --help."}, MISUSE, as_json)
    except OSError as error:
        return _report(_system(error), STORE, as_json)


def _exit_code(error: ChrysalisError) -> int:
    if isinstance(error, NotFound):
        return NOTHING
    return REFUSED if isinstance(error, Refused) else STORE


def _usage(error: TyperException) -> dict[str, Any]:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "chrysalis"
    return {
        "code": "usage",
        "message": error.format_message().replace("Value error, ", ""),
        "hint": f"See `{command} --help`.",
    }


def _system(error: OSError) -> dict[str, Any]:
    where = f"{error.filename}: " if error.filename else ""
    return {
        "code": "system",
        "message": f"{where}{error.strerror or error}",
        "hint": "Check the path and its permissions.",
    }


def _report(error: dict[str, Any], code: int, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": error}, ensure_ascii=False, default=str), file=sys.stderr)  # noqa: T201
        return code
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("[bold red]error:[/] ", end="")
    console.print(printable(error["message"]), markup=False)
    console.print("[cyan]hint:[/]  ", end="")
    console.print(printable(error["hint"]), markup=False)
    return code
