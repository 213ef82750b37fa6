# `make demo` takes a bare checkout to the live console; `make test` passes the tests.
# Everything is installed into .venv, at the versions of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
# The largest wheel is installed first and by itself, so that a CPU build is taken where one is offered.
export HF_HUB_OFFLINE ?= 1
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint bench clean

$(VENV)/.base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "costconsole needs Python 3.11 or newer; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): this takes a few minutes, once."
	@$(PIP) install "$(TORCH)"
	@$(PIP) install -c constraints.txt -e ".[demo]"
	@echo "Preparing the embedding model for fast start (once)."
	@$(BIN)/python -m costconsole.embedding.prepare
	@$(BIN)/python -m costconsole.routing.prepare
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@$(PIP) install -c constraints.txt -e ".[demo,dev]"
	@touch $@

demo: $(VENV)/.base
	@$(BIN)/costconsole demo

test: lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.dev
	@for b in benchmarks/[a-z]*.py; do $(BIN)/python -m benchmarks.$$(basename $$b .py) || exit 1; done

clean:
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
