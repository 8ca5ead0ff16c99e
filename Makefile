# Everything is installed into .venv here, and nothing elsewhere. `make` alone lists the targets.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
INSTALL := pip install --quiet --disable-pip-version-check -c constraints.txt
PIP := $(BIN)/python -m $(INSTALL)
# Asked for by its exact version and before all else: any other way of asking may replace a CPU build by a CUDA one.
TORCH := $(shell grep '^torch==' constraints.txt)
WORKERS ?= 2
ARGS ?=
# Of the demo: `make demo SCALE=tiny` shows in a minute whether everything works, and goes to a folder of its own.
SCALE ?=
DEMO := runs/demo$(SCALE:%=-%)
# Those that a user installs one by one; tests/test_project.py compares them with pyproject.toml.
EXTRAS := aion archives dask gaia hats report specutils

# Real spectra and labels are not part of the project; they are used where they lie beside it.
DATA := $(wildcard ../shared/data)
ifneq ($(DATA),)
export TRANSTAR_DATA ?= $(abspath $(DATA))
endif
export MPLBACKEND := Agg

.PHONY: help demo test test-slow test-latest fuzz test-base test-extras $(EXTRAS:%=test-extra-%) check-wheels release-check lint docs bench clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## mock surveys from nothing to a report, in minutes: runs/demo/report.html
	$(BIN)/transtar study quickstart $(SCALE:%=--scale %) --out $(DEMO)

test: $(VENV)/.test  ## run the tests, but for the slow ones (ARGS="-k name" goes to pytest)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(ARGS)

test-slow: $(VENV)/.test  ## run the slow tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow $(ARGS)

fuzz: $(VENV)/.test  ## 2,000 damaged and hostile files over all readers (ARGS="--seed 7 --out DIR", ARGS="--only 12")
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.fuzz $(ARGS)

test-base: $(VENV)/.base  ## what must work without any extra; only in a .venv that has none yet
	$(BIN)/python -m tests.base_install

test-extras: $(EXTRAS:%=test-extra-%)  ## each extra alone, in a new environment of its own (test-extra-gaia: one of them)

# Base dependencies, one extra and pytest. Removed afterwards (1.5 GB), but kept for a look where a test fails.
$(EXTRAS:%=test-extra-%): test-extra-%: $(VENV)/.base
	rm -rf $(VENV)/extras/$*
	$(BIN)/python -m venv $(VENV)/extras/$*
	$(VENV)/extras/$*/bin/python -m $(INSTALL) --no-compile $(TORCH)
	$(VENV)/extras/$*/bin/python -m $(INSTALL) --no-compile -e '.[$*]' pytest
	OMP_NUM_THREADS=1 $(VENV)/extras/$*/bin/python -m pytest $(ARGS) tests/extras/test_$*.py
	rm -rf $(VENV)/extras/$*

# The newest versions that pyproject.toml allows, in an environment of its own, which is kept for a look where a test fails. LATEST_TORCH
# may name a build, for the newest torch of an index may be one for CUDA.
LATEST_TORCH ?= torch
test-latest: $(VENV)/.base  ## the fast tests with the latest dependencies, without constraints.txt (ARGS="tests/models" for some)
	rm -rf $(VENV)/latest
	$(BIN)/python -m venv $(VENV)/latest
	$(VENV)/latest/bin/python -m pip install --quiet --disable-pip-version-check --no-compile $(LATEST_TORCH)
	$(VENV)/latest/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -e '.[all,test]'
	OMP_NUM_THREADS=1 $(VENV)/latest/bin/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(ARGS)
	rm -rf $(VENV)/latest

check-wheels: $(VENV)/.dev  ## whether wheels of all dependencies exist for Python 3.12 to 3.14 (ARGS="--python 3.13 --extra hats")
	$(BIN)/python -m tools.check_wheels $(ARGS)

release-check: $(VENV)/.dev  ## a dry run of a release: build, check, install elsewhere, run the tiny demo; uploads nothing
	rm -rf dist
	$(BIN)/python -m tools.release_check $(ARGS)

lint: $(VENV)/.dev  ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.docs  ## the site, with tutorials that are run on mock surveys: build/docs/index.html
	$(BIN)/python -m sphinx -W --keep-going -j $(WORKERS) $(ARGS) -b html docs build/docs

bench: $(VENV)/.test  ## compare speed with what a user would write otherwise
	$(BIN)/python -m benchmarks.preprocessing
	$(BIN)/python -m benchmarks.desi
	$(BIN)/python -m benchmarks.survey
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.fleet
	$(BIN)/python -m benchmarks.encoder_steps
	$(BIN)/python -m benchmarks.emulator
	$(BIN)/python -m benchmarks.mmd
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.landscape
	$(BIN)/python -m benchmarks.velocity
	$(BIN)/python -m benchmarks.interactive_report

clean:  ## remove caches and build products; .venv and runs/ stay
	rm -rf build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of extras: touched last, so that an interrupted installation is taken up again.
$(VENV)/.base: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or later with its venv module" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH)
	$(PIP) -e .
	@touch $@

# With the page to look into.
$(VENV)/.demo: $(VENV)/.base
	$(PIP) -e '.[report]'
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(PIP) -e '.[all,test]'
	@touch $@

$(VENV)/.docs: $(VENV)/.base
	$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	$(PIP) -e '.[all,test,dev]'
	@touch $@
