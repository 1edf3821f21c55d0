# What a contributor runs. `make help` lists it; .ci/run calls the same targets.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: help develop check test test-rust test-python build-encryption test-encryption sim fuzz bench bench-recall wheel demo clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  \1\t/' | expand -t 16

$(BIN)/maturin:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet 'maturin>=1.9.4,<2'

develop: $(BIN)/maturin ## build fast and install in place, with everything that tests and linters need
	$(BIN)/maturin develop --quiet --extras test,dev

check: develop ## linters and types, no tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

test: test-rust test-python ## all tests

test-rust: ## tests of the crates
	cargo test --workspace --quiet

test-python: develop ## tests of the package
	$(BIN)/python -m pytest

# The module of this build stands in a copy of the package, beside the usual one.
ENCRYPTED = $(CURDIR)/target/encrypted
ENCRYPTED_TESTS ?= --lib --test keep_encryption --test store_memory
build-encryption: ## compile what test-encryption runs
	cargo test --quiet -p chrysalis-store --features encryption $(ENCRYPTED_TESTS) --no-run
	cargo build --quiet -p chrysalis-python --features encryption

test-encryption: build-encryption ## tests of encrypted stores, in a build with encryption (needs libssl-dev and pkg-config)
	cargo test --quiet -p chrysalis-store --features encryption $(ENCRYPTED_TESTS)
	rm -rf $(ENCRYPTED) && mkdir -p $(ENCRYPTED) && cp -r python/chrysalis_memory $(ENCRYPTED)/
	rm -f $(ENCRYPTED)/chrysalis_memory/_core.*so
	cp $${CARGO_TARGET_DIR:-target}/debug/lib_core.so $(ENCRYPTED)/chrysalis_memory/_core.abi3.so
	PYTHONPATH=$(ENCRYPTED) $(or $(wildcard $(BIN)/python),$(PYTHON)) -m pytest tests/test_encryption.py

sim: ## simulate clusters with faults and hostile members under SEEDS seeds (20)
	cargo run --quiet -p chrysalis-sim -- --seeds $(or $(SEEDS),20)

fuzz: ## fuzz the decoder, admission, messages and nodes, FUZZ_SECONDS each (10)
	fuzz/run decode $(or $(FUZZ_SECONDS),10)
	fuzz/run admit $(or $(FUZZ_SECONDS),10)
	fuzz/run message $(or $(FUZZ_SECONDS),10)
	fuzz/run session $(or $(FUZZ_SECONDS),10)

bench: $(BIN)/maturin ## measure against raw SQLite, pycrdt and loro: prints a table of ratios
	$(BIN)/maturin develop --quiet --release --extras bench
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.recall_speed
	$(if $(DATA),$(BIN)/python -m benchmarks.recall_quality --pooled $(addprefix --data ,$(DATA)))

bench-recall: $(BIN)/maturin ## measure recall, its quality over DATA (files or folders), and rewrite docs/recall.md
	$(BIN)/maturin develop --quiet --release --extras bench,bench-peers
	$(BIN)/python -m benchmarks.recall_speed --out target/recall
	$(if $(DATA),$(BIN)/python -m benchmarks.recall_quality --pooled $(addprefix --data ,$(DATA)) --out target/recall)
	$(BIN)/python -m benchmarks.recall_report target/recall

wheel: $(BIN)/maturin ## build the wheel, install it into an empty environment and run the demonstration there
	rm -rf dist
	$(BIN)/maturin build --quiet --release --out dist
	rm -rf dist/check && $(PYTHON) -m venv dist/check
	dist/check/bin/pip install --quiet dist/*.whl
	dist/check/bin/chrysalis demo

demo: develop ## run the demonstration
	$(BIN)/chrysalis demo

clean: ## remove what builds leave behind
	rm -rf target dist $(VENV) fuzz/target fuzz/corpus fuzz/artifacts
