# Every target may be run again: what is installed, trained or answered already costs nothing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
EXPERIMENT ?= A07_spanish_capitalization
SEEDS ?= 3
# Of bench-engine: one part of it, everything once and small, what was measured before forgotten.
PART ?= all
QUICK ?=
AFRESH ?=
# Two processes of one thread each: two threads of one small matrix only wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

.PHONY: help install demo figures pretrain test test-slow check format bench-engine bench-grid

help:  ## Print this help.
	@echo "make <target>; start with: make demo"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

install: $(STAMP)  ## Make .venv and install everything into it, each version pinned.

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) was not found; install Python 3.11 or newer, or name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), but mi needs Python 3.11 or newer; name one that is: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Installing into $(VENV) (once; a minute or two) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,serve,dev]'
	@touch $@
	@echo "Installed; source $(VENV)/bin/activate makes it the shell's."

demo: $(STAMP)  ## The main job: train the organism on all arms with 3 seeds, print the table, draw the figures.
	@$(BIN)/mi run $(EXPERIMENT) --seeds $(SEEDS)

figures: $(STAMP)  ## Draw the figures again from the table that is there.
	@$(BIN)/mi plot $(EXPERIMENT)

pretrain: $(STAMP)  ## Train the organism's weights again from its grammar (under an hour).
	@$(BIN)/mi organism pretrain

test: $(STAMP)  ## Run the tests: no key, no network, no GPU.
	@$(PYTEST) -m "not slow and not gpu"

test-slow: $(STAMP)  ## Run the tests that take minutes.
	@$(PYTEST) -m "slow and not gpu"

check: $(STAMP)  ## Format, lint, types and layers, without changing anything.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports

format: $(STAMP)  ## Format the code and mend what the linter can.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench-engine: $(STAMP) bench/.venv-engine/installed  ## Compare the evaluation engine with its peers (25 minutes; PART=, QUICK=1: docs/evaluation.md).
	@$(BIN)/python bench/engine.py $(PART) $(if $(QUICK),--quick) $(if $(AFRESH),--afresh)

# A dozen at a time: what is installed stays so, should the network or the patience end.
bench/.venv-engine/installed: bench/engine-requirements.txt
	@echo "Installing the peers into bench/.venv-engine (once; a few minutes) ..."
	@test -x bench/.venv-engine/bin/python || $(PYTHON) -m venv bench/.venv-engine
	@sed -n '/^[a-z]/p' $< | xargs -n 12 bench/.venv-engine/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --only-binary=:all: --retries 10 --timeout 60
	@touch $@

bench-grid: $(STAMP) bench/.venv-trl/installed  ## Compare a grid with runs one by one and with TRL, which gets an environment of its own (ten minutes).
	@$(BIN)/python bench/grid.py

bench/.venv-trl/installed: bench/trl-requirements.txt $(STAMP)
	@echo "Installing TRL into bench/.venv-trl, over what $(VENV) holds ..."
	@$(PYTHON) -m venv bench/.venv-trl
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > "$$(bench/.venv-trl/bin/python -c 'import site; print(site.getsitepackages()[0])')/shared.pth"
	@bench/.venv-trl/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r bench/trl-requirements.txt
	@touch $@
