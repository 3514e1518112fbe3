# Every target makes its own environment: `python3 -m venv` and pip are all it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
ARGS ?=
# Two processes share the tests file by file; what looks at the clock comes after them. ARGS may name
# tests of one kind alone: that there are none of the other is what pytest's 5 says.
PYTEST := $(BIN)/python -m pytest
OR_NONE := || test $$? -eq 5
TESTS = { $(PYTEST) -m "not long and not alone" -n 2 --dist loadfile $(ARGS) $(OR_NONE); } \
	&& { $(PYTEST) -m "alone and not long" $(ARGS) $(OR_NONE); }
TYPESCRIPT := 5.9.3

.PHONY: help train test test-all test-onnx real-networks test-long mutants fuzz lint bench docs gallery explorer-docs clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# One stamp for each set of packages; it is made anew when pyproject.toml changes.
$(VENV)/.base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[viz]'
	@touch $@
$(VENV)/.test: $(VENV)/.base
	$(PIP) --editable '.[test]'
	@touch $@
$(VENV)/.peers: $(VENV)/.test
	$(PIP) --editable '.[test,peers]'
	@touch $@
$(VENV)/.bench: $(VENV)/.base
	$(PIP) --editable '.[bench]'
	@touch $@
$(VENV)/.browser: $(VENV)/.peers
	@command -v chromium >/dev/null || (apt-get update -q && apt-get install -q -y chromium)
	@touch $@
$(VENV)/.lint: $(VENV)/.test
	$(PIP) --editable '.[test,lint]'
	PATH="$(abspath $(BIN)):$$PATH" npm install --silent --no-audit --no-fund --prefix $(VENV)/node typescript@$(TYPESCRIPT)
	@touch $@

train: $(VENV)/.base  ## train a CNN on real digits (ARGS="--net resnet ..." for more)
	$(BIN)/faltung train $(ARGS)

test: $(VENV)/.test  ## run the tests; those whose peer is missing are skipped and named
	$(TESTS)

test-all: $(VENV)/.browser  ## install every peer, run the tests, fail where a peer is missing
	export FALTUNG_REQUIRE_PEERS=1; $(TESTS)

test-onnx: $(VENV)/.test  ## run ONNX's backend tests, print what passed, was skipped, failed
	$(BIN)/python -m faltung.testing.onnx_cases docs/onnx-backend.md

real-networks: $(VENV)/.peers  ## compare published networks with ONNX Runtime, node by node
	$(BIN)/python -m faltung.testing.real_networks docs/real-networks.md

test-long: $(VENV)/.browser  ## the tests that take minutes
	FALTUNG_REQUIRE_PEERS=1 $(PYTEST) -m long $(ARGS)

mutants: $(VENV)/.test  ## plant bugs in every operator and count how many the checks catch
	$(BIN)/python -m faltung.testing.mutants $(ARGS)

fuzz: $(VENV)/.test  ## mutate model files: each must end in a result or one clear error
	$(BIN)/python -m faltung.testing.onnx_mutations $(ARGS)

lint: $(VENV)/.lint  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	PATH="$(abspath $(BIN)):$$PATH" $(VENV)/node/node_modules/.bin/tsc

bench: $(VENV)/.bench  ## install the peers, time faltung against them, in half an hour (ARGS="prepared --quick")
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.test  ## make what the documentation shows anew
	$(BIN)/python scripts/make_explorer_model.py
	$(BIN)/python scripts/make_docs.py
	$(BIN)/python scripts/make_tour.py
	$(BIN)/python scripts/make_explorer_notebooks.py

gallery: $(VENV)/.test  ## draw one picture of every kind anew, for docs/gallery.md
	$(BIN)/python scripts/make_gallery.py $(ARGS)

explorer-docs: $(VENV)/.browser  ## photograph every view of the explorer, for docs/explorer.md
	$(BIN)/python scripts/make_explorer_docs.py $(ARGS)

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
