# Gatehouse. Two commands do everything: `make demo` and `make test`.
# Needed on the machine: Python 3.11 or newer, git, make.

PYTHON ?= python3
BIN := .venv/bin
export PYTHON
export UV_PYTHON_DOWNLOADS := never

.PHONY: help setup setup-demo system demo demo-check test check e2e faults controls bench licences docs lock

help:
	@echo "make demo        a whole company on this machine: hub, two sites, cars, meters (PORT= SEED=)"
	@echo "make test        all tests; installs what they need where it may"
	@echo "make demo-check  the demo without a person; one JSON line of what was sent, lost, doubled (SEED=)"
	@echo "make check       ruff, mypy, import contracts, licences, money and house rules"
	@echo "make e2e | faults | controls | bench    browser and processes | every kill and cut | dishonest staff | figures"
	@echo "make setup | licences | docs | lock     .venv | third-party list | drawn pages | requirements/*.txt"

setup:
	@$(PYTHON) tools/setup.py dev

setup-demo:
	@$(PYTHON) tools/setup.py demo

system:
	@tools/system-packages.sh

demo: setup-demo
	@exec $(BIN)/gatehouse-sim demo $(if $(PORT),--port $(PORT)) $(if $(SEED),--seed $(SEED))

demo-check: setup-demo
	@exec $(BIN)/gatehouse-sim demo-check $(if $(SEED),--seed $(SEED))

test: setup system
	@tools/test.sh $(ARGS)

check: setup
	@tools/check.sh

e2e: setup system
	@$(BIN)/python -m pytest -m e2e $(ARGS)

faults: setup system
	@GATEHOUSE_FAULTS=full $(BIN)/python -m pytest -m faults --timeout=3600 $(ARGS)

controls: setup
	@tools/controls.sh

bench: setup
	@$(BIN)/python -m tests.bench $(ARGS)
	@$(BIN)/python -m pytest -m pace -q

licences: setup
	@$(BIN)/python tools/licences.py --check

docs: setup
	@tools/docs.sh

lock:
	@tools/lock.sh $(ARGS)
	@$(PYTHON) tools/setup.py dev
	@$(BIN)/python tools/licences.py
