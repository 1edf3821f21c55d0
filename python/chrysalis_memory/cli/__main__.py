"""`python -m chrysalis_memory.cli` is `chrysalis`."""

from chrysalis_memory.cli import main

main()
