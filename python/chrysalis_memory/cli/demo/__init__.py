"""The demonstration: a chapter for each thing that is promised."""

from chrysalis_memory.cli.demo.command import demo

__all__ = ["demo"]
