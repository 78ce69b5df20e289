PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Three on two cores: tests that start commands of their own wait for them more than they work.
PROCESSES ?= 3
STAMP := $(VENV)/.installed

.PHONY: demo faults test check clean
.DEFAULT_GOAL := test

demo: $(STAMP)  ## search the click simulator's log, prove the picks, open the report
	$(BIN)/python -m experiments.demo

faults: $(STAMP)  ## kill a search and an ExFM run in every way, 250 times; goes on where it was stopped
	$(BIN)/python -m experiments.faults

test: $(STAMP) check  ## everything that CI runs
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

check: $(STAMP)  ## lint, format, types, import arrow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

$(STAMP): setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,dashboard]'
	touch $@

clean:  ## remove the environment and what the demo wrote
	rm -rf $(VENV) demo
