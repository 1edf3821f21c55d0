"""The pictures of docs/recall.md, drawn from what the benchmarks wrote."""
