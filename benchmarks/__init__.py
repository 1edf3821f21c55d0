"""Measures Chrysalis Memory beside the thinnest programs that do the same work: `python -m benchmarks --help`."""
