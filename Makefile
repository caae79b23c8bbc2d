# Two commands do everything: `make drill` and `make test`. Each sets up what is missing first.

SHELL := /bin/sh
.DEFAULT_GOAL := help
SCENARIO ?= psp-response-lost
SEED ?= 1
PART ?=

# All by-products stay inside .venv.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/by-products/pycache
export MYPY_CACHE_DIR := $(CURDIR)/.venv/by-products/mypy
export RUFF_CACHE_DIR := $(CURDIR)/.venv/by-products/ruff
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.venv/by-products/hypothesis
PYTEST := .venv/bin/pytest -o cache_dir=$(CURDIR)/.venv/by-products/pytest

.PHONY: help setup drill test test-all lint clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: .venv/.ready ## make .venv and obtain the real parts

.venv/.ready: requirements.lock pyproject.toml .ci/setup.sh
	@sh .ci/setup.sh

drill: .venv/.ready ## run a drill (SCENARIO=psp-response-lost SEED=1)
	@.venv/bin/paydrill run $(SCENARIO) --seed $(SEED)

lint: .venv/.ready ## style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

test: lint ## everything that CI asks for
	$(PYTEST) -m "not exhaustive" --durations=40

test-all: .venv/.ready ## all seeds, repeats and counts; resumable; PART=2 for one part; results in docs/status.md
	.venv/bin/python tests/exhaustive.py $(PART)

clean: ## remove what dead drills may have left; keeps .venv and the cache
	@[ ! -x .venv/bin/paydrill ] || .venv/bin/paydrill clean
