# Regulars. `make` lists what there is to do. Needs Python 3.11 or newer and a POSIX shell, nothing else.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
PIP := $(RUN) pip --disable-pip-version-check --require-virtualenv --quiet
WORKERS ?= 2
PYTEST_ARGS ?=
SEED ?= 20261121 # of the order in which tests run; any other finds tests that lean on each other

# One stamp per thing installed. Its name holds a checksum of what decides it, so a changed lock, a changed
# pyproject.toml or a moved folder asks for a stamp that is not there, and only that part is installed again.
checksum = $(shell { pwd; cat $(1); } | cksum | cut -d ' ' -f 1)
CORE_LOCKS := requirements/build.txt requirements/core.txt
DEV_LOCKS := requirements/dev.txt
CORE_STAMP := $(VENV)/.regulars-core-$(call checksum,$(CORE_LOCKS))
DEV_STAMP := $(VENV)/.regulars-dev-$(call checksum,$(DEV_LOCKS))
PACKAGE_STAMP := $(VENV)/.regulars-package-$(call checksum,pyproject.toml)

.PHONY: help setup setup-dev demo test torture check format-check lint types imports spelling dependencies \
        format bench bench-full docs clean venv core dev package

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: venv ## Create .venv with the locked requirements and the package
	@$(MAKE) core
	@$(MAKE) package

setup-dev: venv ## The same, with everything that tests, checks and docs need
	@$(MAKE) dev
	@$(MAKE) package

demo: setup ## Generate a realistic product, import it, print its numbers
	$(BIN)/regulars demo

test: setup-dev ## Run the whole suite; the domain must be covered to the last branch
	@rm -f .coverage .coverage.*
	$(RUN) pytest -n $(WORKERS) --randomly-seed=$(SEED) --cov --cov-report= $(PYTEST_ARGS)
	@echo "== coverage: application =="
	@$(RUN) coverage report --include='src/regulars/application/*'
	@echo "== coverage: domain, 100 % required =="
	@$(RUN) coverage report --include='src/regulars/domain/*' --fail-under=100

torture: setup-dev ## New random examples, many more of them; more than 500 kills; every fault at many places
	$(RUN) pytest -n $(WORKERS) --hypothesis-profile=torture tests/application tests/soundness tests/engines tests/faults \
	  $(PYTEST_ARGS)

check: format-check lint types imports spelling dependencies ## Formatting, lint, types, architecture, spelling, dependencies

format-check: setup-dev
	$(RUN) ruff format --check

lint: setup-dev
	$(RUN) ruff check

types: setup-dev
	$(RUN) mypy

imports: setup-dev
	$(BIN)/python $(BIN)/lint-imports --no-logo

spelling: setup-dev
	$(RUN) codespell_lib

dependencies: setup-dev
	$(RUN) deptry src

format: setup-dev ## Format the code and apply the safe fixes
	$(RUN) ruff check --fix-only
	$(RUN) ruff format

bench: setup-dev ## Measure the medium workload (a few minutes)
	$(BIN)/python -m benchmarks --size M

bench-full: setup-dev ## Measure the large workload (about an hour)
	$(BIN)/python -m benchmarks --size L

docs: setup-dev ## Build the documentation into docs/_build/html; warnings are errors
	$(RUN) sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

clean: ## Remove what the other targets made, .venv included
	rm -rf $(VENV) build dist docs/_build .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

core: $(CORE_STAMP)
	@:

$(CORE_STAMP):
	@echo "installing the locked requirements"
	@$(PIP) install --require-hashes $(CORE_LOCKS:%=-r %)
	@rm -f $(VENV)/.regulars-core-* && touch $@

dev: $(DEV_STAMP)
	@:

$(DEV_STAMP):
	@echo "installing the locked requirements for development"
	@$(PIP) install --require-hashes $(DEV_LOCKS:%=-r %)
	@rm -f $(VENV)/.regulars-dev-* $(VENV)/.regulars-core-* && touch $@ $(CORE_STAMP)

package: $(PACKAGE_STAMP)
	@:

$(PACKAGE_STAMP):
	@echo "installing regulars"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.regulars-package-* && touch $@

# PYTHON=/path/to/python chooses another interpreter. A name on the path proves nothing (version managers put
# wrappers there that fail), so each candidate is run.
venv:
	@ok='import sys; sys.exit(sys.version_info < (3, 11))'; found=; bare=; \
	if $(BIN)/python -c "$$ok" 2>/dev/null && $(RUN) pip --version >/dev/null 2>&1; then exit 0; fi; \
	for name in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  "$$name" -c "$$ok" 2>/dev/null || continue; \
	  if "$$name" -c 'import ensurepip, venv' 2>/dev/null; then found=$$name; break; fi; \
	  bare=$${bare:-$$name}; \
	done; \
	if [ -n "$$found" ]; then \
	  echo "creating $(VENV) with $$("$$found" --version)"; \
	  rm -f $(VENV)/.regulars-*; \
	  "$$found" -m venv --clear $(VENV); \
	elif [ -n "$$bare" ]; then \
	  version=$$("$$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "error: Python $$version has no venv module; on Debian or Ubuntu: apt install python$$version-venv" >&2; \
	  exit 1; \
	else \
	  echo "error: no Python 3.11 or newer found; install one, or name it: make setup PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi
