"""The memory of an agent by paths: `self.memory.crystallize`, `resume`, `manifest` and others, with the ghost behind
every answer.

>>> import asyncio, tempfile
>>> from chrysalis_memory.paths import Paths
>>> async def main():
...     async with Paths(example_store(), ghost=tempfile.mkdtemp()) as paths:
...         return (await paths.invoke("self.memory.manifest")).text
>>> asyncio.run(main())
'0 memories in the space default'
"""

from __future__ import annotations

from chrysalis_memory.paths.answer import PathAnswer
from chrysalis_memory.paths.paths import Paths

__all__ = ["PathAnswer", "Paths"]
