# Only Python (>= 3.11), make and git are assumed. Everything is installed into .venv, pinned by constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# A file's tests run on one core, in the order of the folders: what takes long is not left to the end.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

DATA := data
RESULTS := results

.PHONY: demo test test-long coverage check bench clean
.DEFAULT_GOAL := demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: trainroute needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(BASE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[demo]'
	@touch $@

$(DEV): $(BASE)
	$(PIP) --editable '.[all,demo,dev]'
	@touch $@

## demo: install, write real market data to data/, run everything on it, say what to try next
demo: $(BASE)
	$(BIN)/trainroute sample --data-dir $(DATA)
	$(BIN)/trainroute run --data-dir $(DATA) --output-dir $(RESULTS) --auto-targets --auto-features
	@echo
	@echo 'The same by the TRAINING names, on three of its symbols:'
	@echo
	@echo '  source $(BIN)/activate'
	@echo '  python -m TRAINING.orchestration.intelligent_trainer --data-dir $(DATA) --symbols AAPL MSFT JPM --auto-targets --auto-features'
	@echo '  python -m TRAINING.training_strategies.main --data-dir $(DATA) --symbols AAPL MSFT JPM --model-types sequential'
	@echo '  python -m TRAINING.training_strategies.main --data-dir $(DATA) --symbols AAPL MSFT JPM --model-types sequential --training-plan-dir $(RESULTS)/globals/training_plan'

## test: every test but the long ones, on two cores
test: $(DEV)
	$(PYTEST) -m 'not long'

## test-long: the long ones: each task of each network, many more spoilt files
test-long: $(DEV)
	$(PYTEST) -m long

## coverage: every test, and which lines they run; a third slower
coverage: $(DEV)
	$(PYTEST) --cov --cov-report term

## check: lint, format, types, layers, and the config that stands twice
check: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	cmp CONFIG/training_config/routing_config.yaml src/trainroute/config/routing_config.yaml

## bench: every benchmark, each printing its table
bench: $(DEV)
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

clean:
	rm -rf $(VENV) $(DATA) $(RESULTS) .coverage .coverage.* htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
