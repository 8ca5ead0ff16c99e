# Everything is installed into .venv here, and nothing elsewhere. `make` alone lists the targets.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Asked for by its exact version and before all else: any other way of asking may replace a CPU build by a CUDA one.
TORCH := $(shell grep '^torch==' constraints.txt)
WORKERS ?= 2
ARGS ?=

# Real spectra and labels are not part of the project; they are used where they lie beside it.
DATA := $(wildcard ../shared/data)
ifneq ($(DATA),)
export TRANSTAR_DATA ?= $(abspath $(DATA))
endif
export MPLBACKEND := Agg

.PHONY: help demo test test-slow lint bench clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.base  ## mock surveys from nothing to a report, in minutes: runs/demo/report.html
	$(BIN)/transtar study quickstart --out runs/demo

test: $(VENV)/.test  ## run the tests, but for the slow ones (ARGS="-k name" goes to pytest)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow" $(ARGS)

test-slow: $(VENV)/.test  ## run the slow tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow $(ARGS)

lint: $(VENV)/.dev  ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.test  ## compare speed with what a user would write otherwise
	$(BIN)/python -m benchmarks.preprocessing
	$(BIN)/python -m benchmarks.desi
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.fleet
	$(BIN)/python -m benchmarks.emulator
	$(BIN)/python -m benchmarks.mmd
	$(BIN)/python -m benchmarks.landscape

clean:  ## remove caches and build products; .venv and runs/ stay
	rm -rf build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of extras: touched last, so that an interrupted installation is taken up again.
$(VENV)/.base: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or later with its venv module" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH)
	$(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(PIP) -e '.[all,test]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	$(PIP) -e '.[all,test,dev]'
	@touch $@
