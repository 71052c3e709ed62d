# Targets for people and for CI; `make` alone lists them.

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check
INSTALLED := $(VENV)/installed
INSTALLED_DEV := $(VENV)/installed-dev
LOCK := $(RUN) -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command "make lock"

# The first Python that is new enough and can make virtual environments; PYTHON=… names another.
SUITS := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUITS)' 2>/dev/null && command -v $$p && break; done)

# A virtual environment whose Python is gone (an upgraded system) is made anew.
$(shell [ -x $(RUN) ] || rm -f $(INSTALLED) $(INSTALLED_DEV))

# Tests that start no stack come first: most of what breaks is seen in two minutes.
QUICK := tests/unit tests/contract tests/laws
PYTEST := $(RUN) -m pytest -q --numprocesses auto --dist loadfile
TEST := $(PYTEST) -m "not long"

.DEFAULT_GOAL := help
.PHONY: help install up test test-long bench tools check lint lock generate

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## make .venv and put the locked dependencies and popflow into it
	@echo "popflow is installed; to have it on PATH: . $(VENV)/bin/activate"

up: $(INSTALLED) ## start the whole stack with a simulated city; Ctrl-C stops it
	@$(RUN) -m pipeline.cli up --demo

test: tools lint ## all checks and all tests but the long ones
	@$(TEST) $(QUICK)
	@$(TEST) $(patsubst %,--ignore=%,$(QUICK)) tests

test-long: tools $(INSTALLED_DEV) ## the tests that run for minutes; Go is fetched for two of them
	@$(PIP) install --quiet --require-hashes --requirement requirements-long.lock
	@$(PYTEST) -m long

bench: $(INSTALLED_DEV) ## measure throughput and delay on this machine
	@$(RUN) -m tests.bench

tools: ## programs that the tests run: Chromium, Prometheus, Alertmanager
	@tests/tools.sh

check: lint ## style, types, import directions, generated files; no test of behaviour
	@$(RUN) -m pytest -q tests/contract/test_generated.py tests/meta/test_tables.py

lint: $(INSTALLED_DEV)
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(RUN) -c 'from importlinter.cli import lint_imports_command as run; run()'

generate: $(INSTALLED_DEV) ## write the generated documents and tables anew
	@$(RUN) -m schemas.export
	@$(RUN) -m tests.meta.tables
	@$(RUN) -m deploy.prometheus deploy/prometheus
	@$(RUN) -m deploy.grafana
	@$(RUN) -m deploy.k8s

lock: $(INSTALLED_DEV) ## resolve the dependencies anew; UPGRADE=--upgrade takes newer ones
	@$(LOCK) $(UPGRADE) --output-file requirements.lock --group build pyproject.toml
	@$(LOCK) $(UPGRADE) --output-file requirements-dev.lock --group build --extra dev \
		--constraint requirements.lock pyproject.toml
	@$(LOCK) $(UPGRADE) --output-file requirements-long.lock --group long

$(RUN):
	@[ -n "$(PYTHON)" ] || { echo "popflow needs Python 3.11 or newer with its venv module\
	 (Debian and Ubuntu: apt install python3-venv), and found none on PATH.\
	 Install one, or name it: make install PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c '$(SUITS)' || { echo "$(PYTHON) is older than 3.11 or lacks its venv module;\
	 name another: make install PYTHON=/path/to/python3" >&2; exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)

$(INSTALLED): requirements.lock pyproject.toml | $(RUN)
	$(PIP) install --require-hashes --requirement requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(INSTALLED_DEV): requirements-dev.lock $(INSTALLED)
	$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@
